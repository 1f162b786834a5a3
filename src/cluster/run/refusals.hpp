// Why a sweep must not start on the ranks that it was given.
#pragma once

#include <filesystem>
#include <optional>

#include "cluster/site/lack.hpp"
#include "cluster/site/mpi_session.hpp"
#include "study/study.hpp"

namespace isogrid::cluster {

/// A fault where Slurm started several tasks but MPI's world has one rank (srun without PMIx): each task
/// would run the whole sweep by itself. None with `alone`, which says that this is wanted.
std::optional<base::Fault> singleton_fault(const MpiSession& session, bool alone);

/// Whether this is the first task of Slurm's, or the only one: of several that fail alike it prints why.
bool is_first_task();

/// Refuses a run some of whose ranks lack what they need, such as a file or a card; gives the exit code.
/// Every rank calls it: the first one that lacks it, rank `without`, prints its `faults`. A host that is at
/// fault is noted in the run folder, and slurm/sweep leaves it out of the next start.
int refuse_without(int without, const base::Faults& faults, const Lack& lack,
                   const std::filesystem::path& archive, const MpiSession& session);

/// Faults where run.ranks_per_trial is more than there are workers, or than a trial has leaves.
base::Faults group_faults(const study::Study& study, int workers);

}  // namespace isogrid::cluster
