#include "cluster/worker/seat_threads.hpp"

#include <utility>

namespace isogrid::cluster {

SeatThreads::SeatThreads(int seats, std::function<void(int)> life, std::function<void()> send_home)
    : life_(std::move(life)), send_home_(std::move(send_home)) {
    threads_.reserve(static_cast<std::size_t>(seats));
    const auto live = [this](int seat) {
        try {
            life_(seat);
        } catch (...) {
            const std::lock_guard lock(mutex_);
            if (!thrown_) thrown_ = std::current_exception();
        }
        ++left_;
    };
    try {
        for (int seat = 0; seat < seats; ++seat)
            threads_.emplace_back(live, seat);
    } catch (...) {  // there may be no more threads; those that live end before what they use does
        send_home_();
        wait_for_all();
        throw;
    }
}

SeatThreads::~SeatThreads() {
    if (!all_left()) send_home_();
    wait_for_all();
}

void SeatThreads::wait_for_all() {
    for (std::thread& thread : threads_)
        if (thread.joinable()) thread.join();
}

void SeatThreads::rethrow() {
    const std::lock_guard lock(mutex_);
    if (thrown_) std::rethrow_exception(thrown_);
}

void SeatThreads::join() {
    wait_for_all();
    rethrow();
}

}  // namespace isogrid::cluster
