// Which running trials should pause and go on with more ranks, or with fewer: pure arithmetic on predicted
// times.
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
    int most_ranks = 1;   ///< `ranks` where it may not pause
    int least_ranks = 1;  ///< for its memory; `ranks` where it may not pause
    double doubling_efficiency = usual_doubling_efficiency;

    /// The rest of it on a group of `on`.
    double seconds_on(int on) const { return seconds / effective_ranks(on, doubling_efficiency); }
};

struct Regrouping {
    struct Change {
        std::size_t trial = 0;  ///< of the running ones, by its place
        int ranks = 1;          ///< that it is to go on with: more than it has, or fewer
        double start = 0;       ///< when these are free, in seconds from now
        bool operator==(const Change&) const = default;
    };
    std::vector<Change> paused = {};
    double end = 0;  ///< when the last trial ends, seconds from now
};

/// The trials to pause so that all end soonest, the waiting ones behind them in the order given, where
/// pausing and starting again takes `cost` seconds: at the earliest deadline by which the work can be done,
/// those that would still run get more ranks, and those that do with fewer leave the others to what waits, as
/// a larger group does less with each rank. The deadline is bisected as allot() does it, with the fewest
/// ranks by which each is in time. `free_at` says when the ranks are free that none of `running` has.
///
/// None where the end would come sooner by less than twice the cost or a hundredth of what is left, as
/// predictions are no better than that. A trial never pauses for ranks that free up later than that, since
/// its own would sit idle: it gets those that are free by then, if they change its group.
Regrouping regroup(std::span<const InProgress> running, std::span<const Waiting> waiting,
                   std::span<const double> free_at, double cost);

}  // namespace isogrid::cluster
