// What larger groups of ranks are worth: as usual, until the sweep's own trials have shown it.
#pragma once

#include <map>

namespace isogrid::cluster {

/// What doubling a group is worth where nothing is measured: each half of the ranks does this much of half of
/// the work. Ranks of a group exchange gradients each step, and each of them updates all weights
/// (docs/performance.md).
inline constexpr double usual_doubling_efficiency = 0.94;

/// Ranks that work at full speed with as much effect as a group of `ranks` (a power of two).
double effective_ranks(int ranks, double doubling_efficiency = usual_doubling_efficiency);

/// Learns from trials that ran on groups of more than one size: timed alone and trained by a group, or paused
/// and gone on with other ranks. Different trials are not compared, as their speeds differ for other reasons.
class DoublingEfficiency {
  public:
    /// A trial did `flops` in `seconds` on a group of `ranks`. What is known of a trial that goes on with
    /// others is kept until it has `ended`.
    void ran(int trial, int ranks, double flops, double seconds);
    void ended(int trial) { seen_.erase(trial); }

    /// The geometric mean of what was seen, weighed by the shorter of the two times, and of the usual, which
    /// counts as ten seconds; at least .5, a group that is no faster than half of it, and at most 1.
    double value() const;

  private:
    struct Speed {
        double flops = 0, seconds = 0;
    };
    std::map<int, std::map<int, Speed>> seen_;  ///< by trial and ranks
    double weighted_logarithms_ = 0, weight_ = 0;
};

}  // namespace isogrid::cluster
