#include "cluster/site/stop_signals.hpp"

#include <atomic>
#include <cstddef>

namespace isogrid::cluster {

namespace {

// A signal handler can reach nothing else, and it runs on any thread while others look.
std::atomic<bool> noted = false;
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void note_signal(int) {
    noted = true;
}

}  // namespace

StopSignals::StopSignals() {
    noted = false;
    for (std::size_t i = 0; i < signals.size(); ++i) {
        struct sigaction action {};
        action.sa_handler = note_signal;
        action.sa_flags = SA_RESTART | (signals[i] == SIGINT ? SA_RESETHAND : 0);
        sigaction(signals[i], &action, &before_[i]);
        // nohup has said that the terminal's end is no reason to stop.
        if (signals[i] == SIGHUP && before_[i].sa_handler == SIG_IGN) sigaction(SIGHUP, &before_[i], nullptr);
    }
}

StopSignals::~StopSignals() {
    for (std::size_t i = 0; i < signals.size(); ++i)
        sigaction(signals[i], &before_[i], nullptr);
}

bool StopSignals::received() const {
    return noted;
}

}  // namespace isogrid::cluster
