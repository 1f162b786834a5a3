// An open file of the operating system, closed when its owner ends.
#pragma once

#include <unistd.h>
#include <utility>

namespace isogrid::files {

class Descriptor {
  public:
    /// Takes over what ::open returned; negative means none.
    explicit Descriptor(int value = -1) : value_(value) {}
    Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(value_, other.value_);
        return *this;
    }
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    int get() const { return value_; }
    /// What ::close says.
    int close() { return ::close(std::exchange(value_, -1)); }
    explicit operator bool() const { return value_ >= 0; }

  private:
    int value_;
};

}  // namespace isogrid::files
