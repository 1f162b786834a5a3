// Trials that begin alike: the state of one after some step is the state of the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "study/trial.hpp"

namespace isogrid::study {

/// The trial of constant learning rate and batch, ending at `step`, that `trial` begins as, bit for bit and
/// row for row of its curve: two trials have the same state after a step when their beginnings there are
/// equal. None where `trial` is still warming up, has decayed or changed its batch, may have ended at a
/// target, or has no evaluation after `step`, as the last row of such a trial is one.
std::optional<Trial> beginning(const Trial& trial, std::int64_t step);

/// True when a longer trial among `all` begins as `trial` is from its start to its end.
bool is_beginning_of_one(const Trial& trial, const std::vector<PlannedTrial>& all);

/// A trial that goes on from a trunk's state after `step` steps, as if it had been trained from its start.
struct Branch {
    const PlannedTrial* trial = nullptr;
    std::int64_t step = 0;
};

/// Those of `all` that go on from the trial at place `trunk`, one of constant learning rate and batch, each
/// from the last state that both have. A trial of constant rate goes on from those before it only, and none
/// goes on from where less than half of its own constant part is done, as it would wait for the trunk's end.
std::vector<Branch> branches_of(std::size_t trunk, const std::vector<PlannedTrial>& all);

/// The branches of each of `trunks` (places), in their order: what branches_of gives for one after the other,
/// without comparing every trial with every other.
std::vector<std::vector<Branch>> branches_of_each(std::span<const std::size_t> trunks,
                                                  const std::vector<PlannedTrial>& all);

/// Where a trial leaves its trunk.
struct Departure {
    std::size_t trunk = 0;  ///< its place in the grid
    std::int64_t step = 0;
};

/// By the place of each branch in `all`, the one of `trunks` (places too) that it goes furthest with, the
/// first of several.
std::map<std::size_t, Departure> departures(const std::vector<PlannedTrial>& all,
                                            std::span<const std::size_t> trunks);
/// The same of all trunks that there are.
std::map<std::size_t, Departure> departures(const std::vector<PlannedTrial>& all);

/// FLOPs of the graph (convention exact) that a grid costs when every branch goes on from a trunk, and when
/// each of them is trained on its own, without trunks.
struct BranchCosts {
    double shared = 0, apart = 0;
    std::size_t trunks = 0, branches = 0;  ///< what is both counts as a trunk
};
BranchCosts branch_costs(const std::vector<PlannedTrial>& all);

}  // namespace isogrid::study
