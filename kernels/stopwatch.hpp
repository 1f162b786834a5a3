// Times of the pieces of work that a backend is asked for.
#pragma once

#include <vector>

namespace isogrid::kernels {

class Stopwatch {
  public:
    virtual ~Stopwatch() = default;

    /// Between what the backend was asked for so far and what comes next. On a card this takes none of the
    /// program's time: work that is asked for meanwhile is timed where it is done.
    virtual void mark() = 0;

    /// Seconds from each mark to the next, one fewer than marks; forgets them. Waits until the last has been
    /// reached.
    virtual std::vector<double> laps() = 0;
};

}  // namespace isogrid::kernels
