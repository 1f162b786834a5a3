// The tables of a job file that ask for studies beside isoFLOP budgets.
#pragma once

#include "study/job.hpp"
#include "study/job_document.hpp"
#include "study/job_faults.hpp"

namespace isogrid::study {

/// Reads those that the file has into `job`. A file that asks for no study at all is at fault.
void read_study_tables(JobDocument& document, Job& job, JobFaults& faults);

}  // namespace isogrid::study
