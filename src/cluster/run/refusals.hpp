// Why a sweep must not start on the ranks that it was given.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <utility>

#include <tl/expected.hpp>

#include "base/fault.hpp"
#include "cluster/site/lack.hpp"
#include "cluster/site/mpi_session.hpp"
#include "study/study.hpp"

namespace isogrid::cluster {

/// A fault where Slurm started several tasks but MPI's world has one rank (srun without PMIx): each task
/// would run the whole sweep by itself. None with `alone`, which says that this is wanted.
std::optional<base::Fault> singleton_fault(const MpiSession& session, bool alone);

/// Whether this is the first task of Slurm's, or the only one: of several that fail alike it prints why.
bool is_first_task();

/// Tells whose fault it is that some rank lacks something. Collective: every rank calls it.
using JudgeLack = std::function<Lack()>;

/// Every rank calls it, with its `faults`, none where it has what it needs (a file, a card). An exit code
/// where some rank has faults: the first of them has printed its own, and a host that is at fault is noted in
/// the run folder, so that slurm/sweep leaves it out of the next start.
std::optional<int> refuse_where_some_lack(const base::Faults& faults, const JudgeLack& judge,
                                          const std::filesystem::path& archive, const MpiSession& session);

/// What each rank has, where all have it; else an exit code, as above. Whose fault a lack is, lack_of tells,
/// unless `judge` is given.
template <class Value>
tl::expected<Value, int> where_all_have(base::Result<Value> mine, const std::filesystem::path& archive,
                                        const MpiSession& session, JudgeLack judge = {}) {
    const bool has = mine.has_value();
    if (!judge) judge = [&] { return lack_of(has, session); };
    const base::Faults faults = has ? base::Faults() : mine.error();
    if (const auto code = refuse_where_some_lack(faults, judge, archive, session))
        return tl::unexpected(*code);
    return *std::move(mine);
}

/// Faults where run.ranks_per_trial is more than there are workers, or than a trial has leaves.
base::Faults group_faults(const study::Study& study, int workers);

}  // namespace isogrid::cluster
