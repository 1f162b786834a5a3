// What a reader must know of the runs before any law: counts that do not fit together.
#pragma once

#include <optional>
#include <vector>

#include "analysis/fit/refusal.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// Warnings about the runs as a whole. `mixed_conventions`: models of one size (to 1%) spend different FLOPs
/// on a parameter and token (by more than 5%), so N or C was not counted alike everywhere; or half of the
/// runs have tokens a parameter, or FLOPs for both, of which no training is; or C / (6 N D) of some lies more
/// than ten times off that of the others; or D counts the unit of the batch, which may be no token.
std::vector<Reason> check_runs(const Runs& runs);

/// How many tokens one unit of the runs' batch is, D / (batch steps): 1 where batches are in tokens, the
/// length of a sequence where they are in sequences. Nothing where no run says all three, or runs differ (by
/// more than 5%: a last batch may be cut).
std::optional<double> tokens_per_batch_unit(const Runs& runs);

}  // namespace isogrid::analysis
