// The threads that a rank computes with, which wait without spinning.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace isogrid::train {

class ThreadTeam {
  public:
    /// `size` threads, the caller's own among them; with 1 none is started. Throws std::system_error where
    /// the system starts no more.
    explicit ThreadTeam(int size);
    ~ThreadTeam();
    ThreadTeam(const ThreadTeam&) = delete;
    ThreadTeam& operator=(const ThreadTeam&) = delete;

    int size() const { return static_cast<int>(threads_.size()) + 1; }

    /// Calls work(0), ..., work(size - 1) at the same time, 0 on the calling thread, and returns when all
    /// have returned; then rethrows what the first of them threw.
    void run(const std::function<void(int member)>& work);

  private:
    void end();
    void serve(int member);
    void call(int member);

    std::mutex mutex_;
    std::condition_variable changed_;
    const std::function<void(int)>* work_ = nullptr;
    std::int64_t round_ = 0;  ///< of work begun so far; -1 ends the threads
    int busy_ = 0;
    std::vector<std::exception_ptr> thrown_;  ///< by member
    std::vector<std::thread> threads_;
};

}  // namespace isogrid::train
