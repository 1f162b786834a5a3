// Which of the trials that wait come first: pure arithmetic on predicted times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cluster/schedule/allotment.hpp"

namespace isogrid::cluster {

/// A trial that is to be run.
struct Task {
    int trial = 0;           ///< index into the grid
    double flops = 0;        ///< exact, of the whole trial, evaluations included
    int most_ranks = 1;      ///< power of two: the leaves of its reduction tree
    double size = 1;         ///< parameters of its model; what is known of one size is used for like ones
    int least_ranks = 1;     ///< power of two; the memory of fewer was not enough
    double budget = 0;       ///< FLOPs of its isoFLOP budget, which is fitted as a whole; 0 for none
    int after = -1;          ///< the trial that must end before it: the trunk it branches from; -1: none
    std::int64_t bytes = 0;  ///< of a card's memory, planned
    int wanted_ranks = 0;    ///< power of two that it paused to go on with; 0: it has not paused
    bool may_pause = true;   ///< its checkpoints can be written
    bool alone = false;      ///< needs a card alone: beside other trials its memory was not enough
};

/// The order in which tasks start, as places in the list given, and the ranks of each, in that order.
struct Priorities {
    std::vector<std::size_t> order;
    std::vector<int> ranks;
    double end = 0;  ///< seconds until the last one ends
};

/// Cheap budgets come first while the sweep's end is at most this many times that of longest first.
inline constexpr double early_budgets_worth = 1.005;

/// Longest first, where a trunk is as long as itself and the longest of its branches, and so comes before
/// them ("highest level first", Hu 1961). Ties go by trial. `times[i]` is of `tasks[i]`.
std::vector<std::size_t> longest_chain_first(std::span<const Task> tasks, std::span<const Waiting> times);

/// The tasks as longest_chain_first orders them, with the ranks that allot() gives each.
Priorities longest_first(std::span<const Task> tasks, std::span<const Waiting> times,
                         const std::vector<double>& free_at);

/// Longest first, but for the cheapest budgets, which come before everything else, so that laws can be fitted
/// to whole budgets when little of the work is done: as many as `early_budgets_worth` allows, found by
/// halving their number.
Priorities prioritize(std::span<const Task> tasks, std::span<const Waiting> times,
                      const std::vector<double>& free_at);

}  // namespace isogrid::cluster
