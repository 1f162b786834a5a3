// From a checked job to its trials: which shapes each budget trains, and for how long.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "study/job.hpp"
#include "study/job_faults.hpp"
#include "study/study.hpp"

namespace isogrid::study {

/// The shapes of a ladder, in the order of its widths.
std::vector<Shape> ladder_shapes(const Ladder& ladder, std::int64_t vocabulary);

/// Picks `count` (or all, if fewer) of the values `rising`, both ends included, as evenly spaced as they can
/// be; returns their positions, rising. One alone is the one nearest to the middle.
std::vector<std::size_t> spread_evenly(std::span<const double> rising, std::size_t count);

/// Steps after which a trial of `steps` steps is evaluated: at most `points`, evenly spaced in log steps from
/// 2% of the trial to its end, distinct and rising; the last one is `steps`.
std::vector<std::int64_t> evaluation_steps(std::int64_t steps, std::int64_t points);

/// The trials of all studies, those of one study in canonical order. A request that cannot be met becomes a
/// fault.
std::vector<PlannedTrial> expand_grid(const Job& job, const CorpusFacts& corpus,
                                      const ExactFlopsPerToken& exact_flops_per_token, JobFaults& faults);

}  // namespace isogrid::study
