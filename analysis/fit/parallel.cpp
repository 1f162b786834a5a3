#include "analysis/fit/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace isogrid::analysis {
namespace {

/// Whether this thread already works for a parallel_for: threads within threads would only queue.
bool& busy() {
    thread_local bool inside = false;
    return inside;
}

}  // namespace

void parallel_for(std::size_t count, const std::function<Task()>& worker) {
    std::atomic<std::size_t> next{0};
    std::exception_ptr error;
    std::mutex error_lock;
    const auto work = [&] {
        const bool before = std::exchange(busy(), true);
        try {
            const Task task = worker();
            for (std::size_t k = next++; k < count; k = next++)
                task(k);
        } catch (...) {
            next = count;
            const std::lock_guard hold(error_lock);
            if (!error) error = std::current_exception();
        }
        busy() = before;
    };
    const std::size_t threads =
        busy() ? 1 : std::min<std::size_t>({std::max(1u, std::thread::hardware_concurrency()), 8, count});
    {
        std::vector<std::jthread> pool;
        for (std::size_t t = 1; t < threads; ++t)
            pool.emplace_back(work);
        work();
    }
    if (error) std::rethrow_exception(error);
}

}  // namespace isogrid::analysis
