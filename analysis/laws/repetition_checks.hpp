// Whether runs are such as the data-constrained law describes, and whether it foretells more epochs.
#pragma once

#include <optional>
#include <vector>

#include "analysis/fit/refusal.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// A warning where runs were harmed by repetition: of two neighbours in tokens, of one size and on the same
/// different tokens, the longer one is worse by more than a hundredth. All terms of the law only fall with
/// tokens (Muennighoff et al. 2023 leave such runs out). Repeats by seed count with their mean, of other runs
/// of equal tokens (to 2%) the best.
std::optional<Reason> harm_of_repetition(const std::vector<Run>& runs);

/// A warning where runs of more epochs than were fitted are predicted with an error of more than 5%, on
/// average over the cuts.
std::optional<Reason> misses_more_epochs(const std::vector<Cut>& cuts);

}  // namespace isogrid::analysis
