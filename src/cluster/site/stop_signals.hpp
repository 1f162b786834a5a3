// Being asked to stop: Ctrl-C, Slurm's warning before the time limit, a cancelled job.
#pragma once

#include <array>
#include <csignal>

namespace isogrid::cluster {

/// While one lives, SIGINT, SIGTERM and SIGUSR1 are noted instead of ending the program. A second SIGINT ends
/// it at once: whoever presses Ctrl-C twice means it. At most one at a time, on the thread that trains.
class StopSignals {
  public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    bool received() const;

  private:
    static constexpr std::array signals = {SIGINT, SIGTERM, SIGUSR1};
    std::array<struct sigaction, signals.size()> before_{};
};

}  // namespace isogrid::cluster
