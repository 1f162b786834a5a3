// Which running trials should pause and go on with more ranks: pure arithmetic on predicted times.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "cluster/schedule/allotment.hpp"

namespace isogrid::cluster {

/// A trial that runs, as predicted now.
struct InProgress {
    double end = 0;      ///< seconds from now, on the ranks that it has
    double seconds = 0;  ///< that the rest of it would take on one rank
    int ranks = 1;
    int most_ranks = 1;  ///< `ranks` where it cannot have more
};

struct Regrouping {
    struct Growth {
        std::size_t trial = 0;  ///< of the running ones, by its place
        int ranks = 1;          ///< that it is to go on with: more than it has
        double start = 0;       ///< when these are free, in seconds from now
        bool operator==(const Growth&) const = default;
    };
    std::vector<Growth> paused = {};
    double end = 0;  ///< when the last trial ends, seconds from now
};

/// The trials to pause so that all end soonest, the waiting ones behind them in the order given: all that
/// would still run at the earliest deadline by which the rest of the work can be done, where pausing and
/// starting again takes `cost` seconds. `free_at` says when the ranks are free that none of `running` has.
/// None where the end would come sooner by less than twice the cost or a hundredth of what is left, as
/// predictions are no better than that; and none yet whose new ranks are free later than that, as its own
/// would idle so long. The deadline is bisected as allot() does it: trials in time keep their ranks, and the
/// others get the fewest with which they are.
Regrouping regroup(std::span<const InProgress> running, std::span<const Waiting> waiting,
                   std::span<const double> free_at, double cost);

}  // namespace isogrid::cluster
