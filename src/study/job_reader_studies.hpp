// The tables of a job file that ask for studies beside isoFLOP budgets.
#pragma once

#include "study/job.hpp"
#include "study/job_document.hpp"

namespace isogrid::study {

/// Reads those that the file has into `job`.
void read_study_tables(JobDocument& document, Job& job);

}  // namespace isogrid::study
