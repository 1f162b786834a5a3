// Trials of several lengths that share their beginning: one stable trunk, and decays that leave it.
#pragma once

#include <cstdint>
#include <vector>

#include "study/expand.hpp"

namespace isogrid::study {

/// Evaluations of a trunk: two an octave from step 16, where branches begin, and at its end. What stands
/// before a branch does not depend on where the trunk ends, so that both have the same curve up to there.
std::vector<std::int64_t> trunk_evaluations(const std::vector<std::int64_t>& starts, std::int64_t end);

/// Evaluations of a branch: as its trunk's up to `start`, then at most `points` evenly to `end`.
std::vector<std::int64_t> branch_evaluations(const std::vector<std::int64_t>& starts, std::int64_t start,
                                             std::int64_t end, std::int64_t points);

/// Makes cells of budgets, trained with a final decay, leave one trunk a shape and seed, which is added
/// behind them (`b-trunk-w64-d2`) and belongs to no law. A cell keeps its length and so its budget: it is the
/// straight run. All of a shape warm up as its shortest does, unless the recipe says how long. A shape with
/// one cell gets no trunk. Faults are of `key`: a decay that would begin in the warm-up, no shape with two.
Trials share_trunks(Trials cells, const std::string& key, const TrialMaker& maker, JobFaults& faults);

}  // namespace isogrid::study
