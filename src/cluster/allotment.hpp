// How many ranks each waiting trial gets, so that all trials end soonest: pure arithmetic on predicted times.
#pragma once

#include <span>
#include <vector>

namespace isogrid::cluster {

/// What doubling a group is worth: each half of the ranks does this much of half of the work. Ranks of a
/// group exchange gradients each step, and each of them updates all weights (docs/performance.md).
inline constexpr double doubling_efficiency = 0.94;

/// Ranks that work at full speed with as much effect as a group of `ranks` (a power of two).
double effective_ranks(int ranks);

/// A trial that waits: its time on one rank, and the most ranks that can share it (a power of two).
struct Waiting {
    double seconds = 0;
    int most_ranks = 1;
};

struct Allotment {
    std::vector<int> ranks;  ///< of each trial, in the order given: powers of two
    double end = 0;          ///< when the last trial ends
};

/// The trials in the order given (longest first) each take the ranks that are free first, `ranks[i]` of them;
/// `free_at` says when each rank is free (one at least). One rank a trial where that ends within half a
/// percent of what the ranks can do; else groups as small as possible so that every trial ends by a deadline,
/// the earliest for which that succeeds: bisected between the mean load and the end with one rank a trial.
/// A list schedule with a deadline, after Ludwig and Tiwari 1994, "Scheduling malleable and nonmalleable
/// parallel tasks": a trial too long for the deadline gets more ranks, and so do the last ones to start.
Allotment allot(std::span<const Waiting> longest_first, std::vector<double> free_at);

}  // namespace isogrid::cluster
