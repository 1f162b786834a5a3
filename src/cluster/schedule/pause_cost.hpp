// What it costs a trial to pause and go on with other ranks: as usual, or what the sweep's own trials have
// shown.
#pragma once

namespace isogrid::cluster {

/// What a pause takes at least, from the last step on the old ranks to the first one on others.
inline constexpr double usual_pausing_seconds = 3;

/// Learns from trials that paused how long they take to leave a checkpoint. To read it and begin again is
/// taken to last as long; that is not timed, as the first note of progress comes too late for it.
class PauseCost {
  public:
    /// A trial took so long to leave its checkpoint, what it trained meanwhile not counted.
    void left_checkpoint(double seconds);

    /// Twice the mean of those seen, or the usual where that is more.
    double seconds() const;

  private:
    double seen_seconds_ = 0;
    int seen_ = 0;
};

}  // namespace isogrid::cluster
