// Being asked to stop: Ctrl-C, Slurm's warning before the time limit, a cancelled job, a terminal that was
// closed.
#pragma once

#include <array>
#include <csignal>

namespace isogrid::cluster {

/// While one lives, SIGINT, SIGTERM, SIGUSR1 and SIGHUP are noted instead of ending the program (SIGHUP only
/// where it would end it: not under nohup). A second SIGINT ends it at once: whoever presses Ctrl-C twice
/// means it. At most one at a time, on the thread that trains.
class StopSignals {
  public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    bool received() const;

  private:
    static constexpr std::array signals = {SIGINT, SIGTERM, SIGUSR1, SIGHUP};
    std::array<struct sigaction, signals.size()> before_{};
};

}  // namespace isogrid::cluster
