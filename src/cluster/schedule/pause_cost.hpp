// What it costs a trial to pause and go on with other ranks: as usual, or what the sweep's own trials have
// shown.
#pragma once

#include <map>

namespace isogrid::cluster {

/// What a pause takes, at least: from being asked to the first step on other ranks.
inline constexpr double usual_pausing_seconds = 3;

/// Learns from trials that paused how long they take from being asked to having left a checkpoint. To read it
/// and begin again is taken to last as long; that is not timed, as the first note of progress comes too late
/// for it.
class PauseCost {
  public:
    void asked(int trial, double now) { asked_[trial] = now; }
    void left_checkpoint(int trial, double now);
    /// It has ended or is lost: it does not pause any more.
    void forget(int trial) { asked_.erase(trial); }

    /// Twice the mean of those seen, or the usual where that is more.
    double seconds() const;

  private:
    std::map<int, double> asked_;  ///< when, by trial
    double seen_seconds_ = 0;
    int seen_ = 0;
};

}  // namespace isogrid::cluster
