// Trials that begin alike: the state of one after some step is the state of the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "study/trial.hpp"

namespace isogrid::study {

/// A trial that goes on from a trunk's state after `step` steps, as if it had been trained from its start.
struct Branch {
    const PlannedTrial* trial = nullptr;
    std::int64_t step = 0;
};

/// Those of `all` that have the state of `trunk`, a trial of constant learning rate and batch, until their
/// own decay begins or their batch changes: they differ from it in their length, their decay, their batches
/// and what they evaluate from then on, and in nothing else.
std::vector<Branch> branches_of(const PlannedTrial& trunk, const std::vector<PlannedTrial>& all);

/// Where a trial leaves its trunk.
struct Departure {
    std::size_t trunk = 0;  ///< its place in the grid
    std::int64_t step = 0;
};

/// By the place of each branch in `all`, the first of `trunks` (places too) that it leaves.
std::map<std::size_t, Departure> departures(const std::vector<PlannedTrial>& all,
                                            std::span<const std::size_t> trunks);
/// The same of all trunks that there are.
std::map<std::size_t, Departure> departures(const std::vector<PlannedTrial>& all);

/// FLOPs of the graph (convention exact) that a grid costs when every branch goes on from a trunk, and when
/// each of them is trained on its own, without trunks.
struct BranchCosts {
    double shared = 0, apart = 0;
    std::size_t trunks = 0, branches = 0;
};
BranchCosts branch_costs(const std::vector<PlannedTrial>& all);

}  // namespace isogrid::study
