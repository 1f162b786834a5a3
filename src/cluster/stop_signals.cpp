#include "cluster/stop_signals.hpp"

#include <cstddef>

namespace isogrid::cluster {

namespace {

volatile std::sig_atomic_t noted = 0;  // a signal handler can reach nothing else

extern "C" void note_signal(int) {
    noted = 1;
}

}  // namespace

StopSignals::StopSignals() {
    noted = 0;
    for (std::size_t i = 0; i < signals.size(); ++i) {
        struct sigaction action {};
        action.sa_handler = note_signal;
        action.sa_flags = SA_RESTART | (signals[i] == SIGINT ? SA_RESETHAND : 0);
        sigaction(signals[i], &action, &before_[i]);
    }
}

StopSignals::~StopSignals() {
    for (std::size_t i = 0; i < signals.size(); ++i)
        sigaction(signals[i], &before_[i], nullptr);
}

bool StopSignals::received() const {
    return noted != 0;
}

}  // namespace isogrid::cluster
