// Trials that begin alike (trunk and branches): one's state after some step is the others' state too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "study/trial.hpp"

namespace isogrid::study {

/// The first `step` steps of `trial` as a trial of their own, with the same bits and rows of its curve; its
/// learning rate (after warm-up) and batch are constant. Two trials have the same state after a step when
/// their beginnings there are equal. None where `trial` is still warming up, has decayed or changed its
/// batch, may have ended at a target loss, or is not evaluated after `step`, as a trial's end is.
std::optional<Trial> beginning(const Trial& trial, std::int64_t step);

/// Whether all of `trial` is the beginning of a longer one among `all`.
bool is_beginning_of_one(const Trial& trial, const std::vector<PlannedTrial>& all);

/// A trial that goes on from a trunk's state after `step` steps, as if it had been trained from its start.
struct Branch {
    const PlannedTrial* trial = nullptr;
    std::int64_t step = 0;
};

/// The trials of `all` that can go on from the one at place `trunk`, whose rate and batch are constant: each
/// from the last state that both have. One of constant rate itself goes on from trials before it only. None
/// goes on where less than half of its own constant part is done: it would wait too long for the trunk's end.
std::vector<Branch> branches_of(std::size_t trunk, const std::vector<PlannedTrial>& all);

/// branches_of each of `trunks` (places in `all`), in their order, without comparing every trial with every
/// other.
std::vector<std::vector<Branch>> branches_of_each(std::span<const std::size_t> trunks,
                                                  const std::vector<PlannedTrial>& all);

/// Where a trial leaves its trunk.
struct Departure {
    std::size_t trunk = 0;  ///< its place in the grid
    std::int64_t step = 0;
};

/// For each branch, by its place in `all`: the one of `trunks` (places in `all`) with which it shares most
/// steps, the first of several.
std::map<std::size_t, Departure> departures(const std::vector<PlannedTrial>& all,
                                            std::span<const std::size_t> trunks);
/// The departures of all branches, from all trunks that there are.
std::map<std::size_t, Departure> departures(const std::vector<PlannedTrial>& all);

/// FLOPs (convention exact) that the branches of a grid cost: `shared` with their trunks, from which they go
/// on; `apart` each from its own start, without trunks.
struct BranchCosts {
    double shared = 0, apart = 0;
    std::size_t trunks = 0, branches = 0;  ///< what is both counts as a trunk
};
BranchCosts branch_costs(const std::vector<PlannedTrial>& all);

}  // namespace isogrid::study
