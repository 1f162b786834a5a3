// Rank 0 of a sweep: hands trials to workers until none is left. It computes nothing.
#pragma once

#include <functional>
#include <string>

#include "cluster/sweep.hpp"
#include "cluster/transport.hpp"

namespace isogrid::cluster {

struct CoordinatorHooks {
    /// Called after each message and each short wait; false ends the sweep at the next step boundaries.
    std::function<bool(const Sweep&)> keep_going;
    /// Called when a trial has ended.
    std::function<void(const Sweep&, const Finished&)> on_finished;
};

/// Runs `sweep` over the workers (ranks 1 and up) until every trial ended, or, once stopped, until the
/// running ones did. Nothing starts before every worker has reported: otherwise the first to come would take
/// alone what a group should share. Returns when nothing runs any more: the
/// workers wait for notes, or, once stopped, have been sent home. `lease` travels with every assignment.
void coordinate(Transport& transport, Sweep& sweep, const std::string& lease, const CoordinatorHooks& hooks);

/// Sends every worker home.
void dismiss_workers(Transport& transport);

}  // namespace isogrid::cluster
