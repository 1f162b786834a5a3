// A thread for each seat of a card.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace isogrid::cluster {

class SeatThreads {
  public:
    /// Calls life(0), ..., life(seats - 1), each on a thread of its own. `send_home` is called before this
    /// waits for them because something went wrong: whoever is still at it must then return soon.
    SeatThreads(int seats, std::function<void(int seat)> life, std::function<void()> send_home);
    ~SeatThreads();
    SeatThreads(const SeatThreads&) = delete;
    SeatThreads& operator=(const SeatThreads&) = delete;

    /// Whether all have returned.
    bool all_left() const { return left_ == static_cast<int>(threads_.size()); }

    /// Throws what the first seat to throw threw, if one has.
    void rethrow();

    /// Waits until all have returned; then as rethrow().
    void join();

  private:
    void wait_for_all();

    std::function<void(int)> life_;
    std::function<void()> send_home_;
    std::mutex mutex_;
    std::exception_ptr thrown_;  ///< under the mutex
    std::atomic<int> left_{0};
    std::vector<std::thread> threads_;
};

}  // namespace isogrid::cluster
