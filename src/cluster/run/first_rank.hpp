// Rank 0's part of `isogrid run`; worker_rank.hpp has the others'.
#pragma once

#include "cluster/run/run.hpp"
#include "cluster/site/mpi_session.hpp"
#include "cluster/site/places.hpp"
#include "cluster/site/stop_signals.hpp"
#include "program/ending.hpp"

namespace isogrid::cluster {

struct FirstRankEnd {
    int exit_code = program::exit_other;
    bool workers_dismissed = false;  ///< they have been told already that nothing more is to do
};

/// From the lock to the archive: looks at what is there, coordinates the workers (or, in a world of one,
/// trains), merges, verifies, tidies up. Speaks for all ranks; faults of the input go to standard error.
/// `misplaced`: what is wrong with the ranks' cores, to be warned of.
FirstRankEnd run_first_rank(const RunRequest& request, const MpiSession& session, const StopSignals& signals,
                            const Misplaced& misplaced);

}  // namespace isogrid::cluster
