// From a checked job to its trials, those of all its studies.
#pragma once

#include <vector>

#include "study/job.hpp"
#include "study/job_faults.hpp"
#include "study/study.hpp"

namespace isogrid::study {

/// The trials of all studies, those of one study in canonical order. A request that cannot be met becomes a
/// fault.
std::vector<PlannedTrial> expand_grid(const Job& job, const CorpusFacts& corpus,
                                      const ExactFlopsPerToken& exact_flops_per_token, JobFaults& faults);

}  // namespace isogrid::study
