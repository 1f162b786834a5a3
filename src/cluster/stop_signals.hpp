// Being asked to stop: Ctrl-C, Slurm's warning before the time limit, a cancelled job.
#pragma once

#include <array>
#include <csignal>
#include <cstddef>
#include <vector>

namespace isogrid::cluster {

/// While one lives, SIGINT, SIGTERM and SIGUSR1 are noted instead of ending the program. A second SIGINT ends
/// it at once: whoever presses Ctrl-C twice means it. At most one at a time, on the thread that trains.
///
/// The handler runs on a stack of its own. oneDNN's generated matrix products (before 3.12, issue 4845 there)
/// keep an address of the heap in the stack pointer: a signal taken on the thread's stack would overwrite the
/// heap.
class StopSignals {
  public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    bool received() const;

  private:
    static constexpr std::array signals = {SIGINT, SIGTERM, SIGUSR1};
    std::vector<std::byte> stack_;
    stack_t stack_before_{};
    std::array<struct sigaction, signals.size()> before_{};
};

}  // namespace isogrid::cluster
