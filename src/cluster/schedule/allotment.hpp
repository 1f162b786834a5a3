// How many ranks each waiting trial gets, so that all trials end soonest: pure arithmetic on predicted times.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "cluster/schedule/doubling_efficiency.hpp"

namespace isogrid::cluster {

/// A trial that waits: its time on one rank, the most ranks that can share it (a power of two), the time
/// before which it cannot start, whoever is free, and what doubling its group is worth.
struct Waiting {
    double seconds = 0;
    int most_ranks = 1;
    double ready_at = 0;
    double doubling_efficiency = usual_doubling_efficiency;

    /// With a group of `ranks`.
    double seconds_on(int ranks) const { return seconds / effective_ranks(ranks, doubling_efficiency); }
};

struct Allotment {
    std::vector<int> ranks;      ///< of each trial, in the order given: powers of two
    std::vector<double> starts;  ///< of each trial
    double end = 0;              ///< when the last trial ends
};

/// The trials in the order given (longest first, or nearly) each take the ranks that are free first,
/// `ranks[i]` of them; `free_at` says when each rank is free (one at least). One rank a trial where that ends
/// within half a percent of what the ranks can do; else groups as small as possible so that every trial ends
/// by a deadline, the earliest for which that succeeds: bisected between the mean load and the end with one
/// rank a trial. A list schedule with a deadline, after Ludwig and Tiwari 1994, "Scheduling malleable and
/// nonmalleable parallel tasks": a trial too long for the deadline gets more ranks, and so do the last ones
/// to start.
Allotment allot(std::span<const Waiting> in_order, std::vector<double> free_at);

/// Groups for a given deadline: each trial gets the fewest ranks with which it ends by then. Nothing where
/// some trial would be late on any number of ranks.
std::optional<Allotment> allot_by(std::span<const Waiting> in_order, const std::vector<double>& free_at,
                                  double deadline);

/// No schedule of these trials on `ranks` free ranks ends before this, whatever its groups, and however often
/// they change: by a deadline T, a trial takes at least as many rank-seconds as when it spends its time in
/// the two sizes of groups next to each other with which it ends at T, and all of them together have ranks x
/// T. The bound of Turek, Wolf and Yu 1992, "Approximate algorithms for scheduling parallelizable tasks", for
/// tasks whose groups may change; found by bisection to 1e-9 of itself, from below.
double makespan_lower_bound(std::span<const Waiting> trials, int ranks);

}  // namespace isogrid::cluster
