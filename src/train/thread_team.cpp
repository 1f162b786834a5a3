#include "train/thread_team.hpp"

#include <cstddef>
#include <utility>

namespace isogrid::train {

ThreadTeam::ThreadTeam(int size) : thrown_(static_cast<std::size_t>(size)) {
    for (int member = 1; member < size; ++member)
        threads_.emplace_back([this, member] { serve(member); });
}

ThreadTeam::~ThreadTeam() {
    {
        const std::lock_guard lock(mutex_);
        round_ = -1;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_)
        thread.join();
}

void ThreadTeam::run(const std::function<void(int)>& work) {
    {
        const std::lock_guard lock(mutex_);
        work_ = &work;
        busy_ = static_cast<int>(threads_.size());
        ++round_;
    }
    changed_.notify_all();
    call(0);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return busy_ == 0; });
    for (std::exception_ptr& thrown : thrown_)
        if (thrown) std::rethrow_exception(std::exchange(thrown, nullptr));
}

void ThreadTeam::serve(int member) {
    std::int64_t served = 0;
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [&] { return round_ != served; });
        if (round_ < 0) return;
        served = round_;
        lock.unlock();
        call(member);
        lock.lock();
        if (--busy_ == 0) changed_.notify_all();
    }
}

void ThreadTeam::call(int member) {
    try {
        (*work_)(member);
    } catch (...) {
        thrown_[static_cast<std::size_t>(member)] = std::current_exception();
    }
}

}  // namespace isogrid::train
