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
    double size = 1;         ///< parameters of its model: like sizes run at like speeds
    int least_ranks = 1;     ///< power of two, for the memory of fewer was not enough
    double budget = 0;       ///< trials of one budget answer something together; 0 for none
    int after = -1;          ///< a trial that must have ended before: the trunk that this one branches from
    std::int64_t bytes = 0;  ///< of a card's memory, as planned
    int wanted_ranks = 0;    ///< power of two: it has paused to go on with so many, if they are there
    bool may_pause = true;   ///< its checkpoints can be written
    bool alone = false;      ///< on its card: its memory was not enough among others
};

/// The order in which tasks start, as places in the list given, and the ranks of each, in that order.
struct Priorities {
    std::vector<std::size_t> order;
    std::vector<int> ranks;
    double end = 0;  ///< seconds until the last one ends
};

/// What whole budgets may cost: the end, over that of longest first.
inline constexpr double early_budgets_worth = 1.005;

/// Longest first, where a trial is as long as it takes with all that must follow it: a trunk counts with the
/// longest of its branches ("highest level first", Hu 1961), and comes before them. Ties go by trial.
std::vector<std::size_t> longest_chain_first(std::span<const Task> tasks, std::span<const Waiting> times);

/// allot() of the tasks longest chain first. `times[i]` is of `tasks[i]`.
Priorities longest_first(std::span<const Task> tasks, std::span<const Waiting> times,
                         const std::vector<double>& free_at);

/// The same, but for the cheapest budgets, which come before all others, the
/// cheapest first: as many of them as is possible without ending later than `early_budgets_worth` allows. So
/// the first whole budgets are there when little of the work is done, and laws can be fitted to them.
Priorities prioritize(std::span<const Task> tasks, std::span<const Waiting> times,
                      const std::vector<double>& free_at);

}  // namespace isogrid::cluster
