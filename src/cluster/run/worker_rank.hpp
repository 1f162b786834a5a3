// What those do who train, in `isogrid run`: a rank's one worker, or a thread for each seat of its card.
#pragma once

#include "cluster/coordination/coordinator.hpp"
#include "cluster/run/run.hpp"
#include "cluster/site/mpi_session.hpp"
#include "cluster/site/stop_signals.hpp"
#include "cluster/sweep/sweep.hpp"
#include "cluster/worker/execute.hpp"
#include "data/token_file.hpp"

namespace isogrid::cluster {

/// What `request` says of trials' folders and of what trains them. Both arguments must outlive it.
Workplace workplace_of(const RunRequest& request, const data::TokenFile& tokens);

/// Works until rank 0 sends this rank's workers home; an exit code.
int run_worker(const RunRequest& request, const data::TokenFile& tokens, const MpiSession& session,
               const StopSignals& signals);

/// coordinate() for the seats of this process's own card, without MPI. Throws what a seat's life ends with
/// where that was no trial's doing.
void coordinate_own_seats(const RunRequest& request, const data::TokenFile& tokens,
                          const StopSignals& signals, Sweep& sweep, const std::string& lease,
                          const CoordinatorHooks& hooks);

}  // namespace isogrid::cluster
