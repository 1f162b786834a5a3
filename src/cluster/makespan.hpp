// How long a list of trials takes on a number of ranks.
#pragma once

#include <span>
#include <vector>

namespace isogrid::cluster {

/// When the last of `seconds` ends if each, in the order given, goes to the rank that is free first;
/// `free_at` says when each rank is free (at least one). List scheduling: Graham 1969, "Bounds on
/// multiprocessing timing anomalies"; longest first it is at most 4/3 - 1/(3 ranks) of the optimum (his
/// theorem 2).
double list_schedule_makespan(std::span<const double> seconds, std::vector<double> free_at);

/// list_schedule_makespan longest first on `ranks` free ranks.
double longest_first_makespan(std::span<const double> seconds, int ranks);

/// No schedule that gives a trial to one rank ends before this: the longest trial, or all of them evenly
/// shared.
double makespan_lower_bound(std::span<const double> seconds, int ranks);

}  // namespace isogrid::cluster
