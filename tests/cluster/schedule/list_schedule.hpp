// How long a list of trials takes on a number of ranks, on paper: what the scheduler is held to.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

namespace isogrid::cluster::test {

/// When the last of `seconds` ends if each, the longest first, goes to the rank that is free first. List
/// scheduling: Graham 1969, "Bounds on multiprocessing timing anomalies"; longest first it is at most 4/3 -
/// 1/(3 ranks) of the optimum (his theorem 2).
inline double longest_first_makespan(std::vector<double> seconds, int ranks) {
    std::sort(seconds.begin(), seconds.end(), std::greater<>());
    std::vector<double> free_at(static_cast<std::size_t>(ranks), 0.0);
    double end = 0;
    for (const double duration : seconds) {
        std::pop_heap(free_at.begin(), free_at.end(), std::greater<>());
        free_at.back() += duration;
        end = std::max(end, free_at.back());
        std::push_heap(free_at.begin(), free_at.end(), std::greater<>());
    }
    return end;
}

}  // namespace isogrid::cluster::test
