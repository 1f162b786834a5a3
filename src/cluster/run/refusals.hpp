// Why a sweep must not start on the ranks that it was given.
#pragma once

#include <filesystem>
#include <optional>

#include "cluster/site/lack.hpp"
#include "cluster/site/mpi_session.hpp"
#include "study/study.hpp"

namespace isogrid::cluster {

/// Why this process must not start: Slurm gave it several tasks but the world has one rank, so that each task
/// would run the whole sweep alone. Nothing when all is well. Only the first of the tasks should print it.
std::optional<study::Fault> singleton_fault(const MpiSession& session, bool alone);

/// Whether this is the first, or only, task of Slurm's.
bool is_first_task();

/// The exit code of all ranks where some lack what they need: the first one `without` says why, by its own
/// `faults`. Notes a host that is at fault, for slurm/sweep to leave it out. All ranks ask.
int refuse_without(int without, const study::Faults& faults, const Lack& lack,
                   const std::filesystem::path& archive, const MpiSession& session);

/// Groups that the job asks for must fit the workers and the trials.
study::Faults group_faults(const study::Study& study, int workers);

}  // namespace isogrid::cluster
