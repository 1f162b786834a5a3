// How much faster a trial trains when its group of ranks doubles: assumed, then measured in the sweep.
#pragma once

#include <map>

namespace isogrid::cluster {

/// Parallel efficiency of one doubling, assumed until it is measured: twice the ranks train 2 x 0.94 times as
/// fast. Lost are the exchange of gradients each step, and that every rank updates all weights
/// (docs/performance.md has measurements).
inline constexpr double usual_doubling_efficiency = 0.94;

/// The speed of a group of `ranks` (a power of two) over that of one rank.
double effective_ranks(int ranks, double doubling_efficiency = usual_doubling_efficiency);

/// Measured on trials that ran on groups of several sizes: timed on one rank and trained by a group, or
/// paused and continued with other ranks. Each is compared with itself alone: trials differ in speed anyway.
class DoublingEfficiency {
  public:
    /// A trial did `flops` in `seconds` on a group of `ranks`. It may go on with others until it has `ended`.
    void ran(int trial, int ranks, double flops, double seconds);
    void ended(int trial) { seen_.erase(trial); }

    /// The geometric mean of the measurements, each weighed by the shorter of its two times, and of the usual
    /// value, which weighs ten seconds. From 0.5 (no faster than half the group) to 1 (twice as fast).
    double value() const;

  private:
    struct Speed {
        double flops = 0, seconds = 0;
    };
    std::map<int, std::map<int, Speed>> seen_;  ///< by trial and ranks
    double weighted_logarithms_ = 0, weight_ = 0;
};

}  // namespace isogrid::cluster
