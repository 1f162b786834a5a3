#include "train/thread_team.hpp"

#include <algorithm>
#include <cstddef>

namespace isogrid::train {

ThreadTeam::ThreadTeam(int size) : thrown_(static_cast<std::size_t>(size)) {
    try {
        for (int member = 1; member < size; ++member)
            threads_.emplace_back([this, member] { serve(member); });
    } catch (...) {
        end();
        throw;
    }
}

ThreadTeam::~ThreadTeam() {
    end();
}

void ThreadTeam::end() {
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
    const auto first = std::ranges::find_if(thrown_, [](const auto& each) { return each != nullptr; });
    if (first == thrown_.end()) return;
    const std::exception_ptr thrown = *first;
    std::ranges::fill(thrown_, nullptr);  // the others' too: they are of this round
    std::rethrow_exception(thrown);
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
