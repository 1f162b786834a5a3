// Why a sweep must not start on the ranks that it was given.
#pragma once

#include <optional>

#include "cluster/site/mpi_session.hpp"
#include "study/study.hpp"

namespace isogrid::cluster {

/// Why this process must not start: Slurm gave it several tasks but the world has one rank, so that each task
/// would run the whole sweep alone. Nothing when all is well. Only the first of the tasks should print it.
std::optional<study::Fault> singleton_fault(const MpiSession& session, bool alone);

/// Whether this is the first, or only, task of Slurm's.
bool is_first_task();

/// Groups that the job asks for must fit the workers and the trials.
study::Faults group_faults(const study::Study& study, int workers);

}  // namespace isogrid::cluster
