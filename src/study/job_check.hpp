// The rules that tie the keys of a job file together, and to the corpus it names.
#pragma once

#include "study/job.hpp"
#include "study/job_faults.hpp"

namespace isogrid::study {

/// Rules within the file. Those that build on keys already at fault are left out.
void check_job(const Job& job, JobFaults& faults);

/// Whether the corpus is long enough for one batch and for the evaluation.
void check_corpus(const Job& job, const CorpusFacts& corpus, JobFaults& faults);

}  // namespace isogrid::study
