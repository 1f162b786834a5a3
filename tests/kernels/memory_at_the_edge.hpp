// Memory in which a step beyond the last number is a crash.
#pragma once

#include <algorithm>
#include <cstddef>
#include <new>
#include <vector>

#include <sys/mman.h>

namespace isogrid::kernels::test {

/// Numbers at the end of mapped memory: what follows them cannot be read.
template <class Number>
class AtTheEdge {
  public:
    explicit AtTheEdge(std::size_t count) : count_(count) {
        const std::size_t page = 4096;
        mapped_ = (count * sizeof(Number) + page - 1) / page * page + page;
        void* memory = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        memory_ = static_cast<std::byte*>(memory);
        mprotect(memory_ + mapped_ - page, page, PROT_NONE);
        numbers_ = reinterpret_cast<Number*>(memory_ + mapped_ - page - count * sizeof(Number));
    }
    explicit AtTheEdge(const std::vector<Number>& numbers) : AtTheEdge(numbers.size()) {
        std::copy(numbers.begin(), numbers.end(), numbers_);
    }
    ~AtTheEdge() { munmap(memory_, mapped_); }
    AtTheEdge(const AtTheEdge&) = delete;
    AtTheEdge& operator=(const AtTheEdge&) = delete;

    Number* data() { return numbers_; }
    std::vector<Number> read() const { return {numbers_, numbers_ + count_}; }

  private:
    std::size_t count_, mapped_;
    std::byte* memory_;
    Number* numbers_;
};

}  // namespace isogrid::kernels::test
