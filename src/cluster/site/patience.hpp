// Waiting for other ranks without burning the core that one of them may need.
//
// MPI's own waits poll for as long as they last, whatever the launcher says about yielding. Every wait here
// polls by itself: a short while at full speed, since a partner that is as busy as we are comes within
// microseconds, then with naps in between that grow with the time waited.
#pragma once

#include <chrono>

namespace isogrid::cluster {

using Nanoseconds = std::chrono::nanoseconds;

/// How long to nap after `waited`, until the next look: not at all at first, then an eighth of the time
/// waited so far, so that a wait gets longer by an eighth at most, and `longest` in the end.
Nanoseconds nap_after(Nanoseconds waited, Nanoseconds longest);

/// Waits between looks for something, longer and longer until it has come.
class Patience {
  public:
    explicit Patience(Nanoseconds longest) : longest_(longest) {}

    /// To be called between two looks for what has not come yet.
    void wait();

    /// It came: the next wait starts afresh.
    void end() { waiting_ = false; }

  private:
    using Clock = std::chrono::steady_clock;
    Nanoseconds longest_;
    Clock::time_point since_{};
    bool waiting_ = false;
};

/// Looks until `came()` is true.
template <class Came>
void wait_for(Came came, Nanoseconds longest) {
    Patience patience(longest);
    while (!came())
        patience.wait();
}

}  // namespace isogrid::cluster
