// Which tables and keys a job file has, with their types and ranges: the file as docs/job-file.md lists it.
#pragma once

#include <filesystem>

#include "study/job.hpp"
#include "study/job_faults.hpp"

namespace isogrid::study {

/// Reads `job.text`; `folder` is where relative paths start. Rules that tie keys together are check_job's.
void read_job(Job& job, const std::filesystem::path& folder, JobFaults& faults);

}  // namespace isogrid::study
