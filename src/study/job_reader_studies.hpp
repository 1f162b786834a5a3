// The tables of a job file that ask for studies beside isoFLOP budgets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "study/job.hpp"
#include "study/job_document.hpp"

namespace isogrid::study {

/// Reads those that the file has into `job`.
void read_study_tables(JobDocument& document, Job& job, JobFaults& faults);

/// `[[TOKENS, BATCH], ...]`, none before `earliest` tokens.
std::vector<BatchChange> read_batch_changes(JobDocument& document, const std::string& key,
                                            std::int64_t earliest);

}  // namespace isogrid::study
