// The middle of `isogrid run` on rank 0: trials are trained, by whoever is there to do it.
#pragma once

#include <string>
#include <vector>

#include "archive/durable_file.hpp"
#include "cluster/folder/lock.hpp"
#include "cluster/run/run.hpp"
#include "cluster/site/mpi_session.hpp"
#include "cluster/site/stop_signals.hpp"
#include "cluster/sweep/sweep.hpp"
#include "data/token_file.hpp"
#include "program/console.hpp"

namespace isogrid::cluster {

/// What was asked of a run that may begin to train, and what rank 0 has for it.
struct StartedRun {
    const RunRequest& request;
    const data::TokenFile& tokens;
    const MpiSession& session;
    const StopSignals& signals;
    const Lock& lock;
    const archive::Writer& writer;
    program::Console& console;
};

/// Trains what `sweep` holds, which is `trials`, on the workers of the run's session, the seats of this
/// process's card, or this process alone: until all of it ended, a signal came, the allocation is about to
/// end, or the lock is another run's. Meanwhile shows how far it is, packs trial files, and removes states
/// that no trial goes on from any more. Returns what cut it short, in words; empty where nothing did.
std::string train_sweep(Sweep& sweep, const std::vector<int>& trials, const StartedRun& run);

}  // namespace isogrid::cluster
