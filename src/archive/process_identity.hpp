// Who this process is, for notes, locks and temporary names: its host, its number and its Slurm job.
#pragma once

#include <cstdint>
#include <string>

namespace isogrid::archive {

/// The name of this machine, as the system knows it.
std::string host_name();

/// The number of this Slurm job; empty outside Slurm.
std::string slurm_job();

/// How often Slurm has started this job again; 0 outside Slurm.
std::int64_t slurm_restarts();

/// `JOB.RESTARTS`, unlike in another allocation or another start of it by Slurm; empty outside Slurm.
std::string slurm_start_here();

/// `HOST-PROCESS-JOB-RESTARTS`, for temporary names; job and restarts are 0 outside Slurm.
std::string writer_tag();

}  // namespace isogrid::archive
