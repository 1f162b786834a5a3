// Rank 0 of a sweep: hands trials to workers until none is left. It computes nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cluster/coordination/roster.hpp"
#include "cluster/messages/transport.hpp"
#include "cluster/sweep/sweep.hpp"

namespace isogrid::cluster {

struct CoordinatorHooks {
    /// Called after each message and each short wait; false ends the sweep at the next step boundaries.
    std::function<bool(const Sweep&)> keep_going = [](const Sweep&) { return true; };
    /// Called when a trial has ended.
    std::function<void(const Sweep&, const Finished&)> on_finished = [](const Sweep&, const Finished&) {};
    /// Called with what a person should know: workers that are gone, or back.
    std::function<void(const std::string&)> say = [](const std::string&) {};
    /// Called when `host` gets no more work: that these trials have failed there is to be forgotten.
    std::function<void(const std::string& host, const std::vector<int>& trials)> on_host_set_aside =
        [](const std::string&, const std::vector<int>&) {};
};

/// Runs `sweep` over the workers (1 and up: ranks, or the seats of their cards) until every trial ended, or,
/// once stopped, until the running ones did. Nothing starts before every worker has reported: otherwise the
/// first to come would take alone what a group should share. Returns when nothing runs any more: the workers
/// wait for notes, or, once stopped, have been sent home. `lease` travels with every assignment.
///
/// A worker that is silent for `silence_limit` seconds is given up, and its trial waits again; the others of
/// its group are told to leave it. Should it be there after all, what it finishes counts, unless another was
/// first, and it gets work again. A host on which trial after trial ends badly (cluster/schedule/hosts)
/// gets no more work, and what failed there is tried again elsewhere. A running trial that would end last is
/// asked to pause, and goes on with more ranks, or fewer. When no worker is left the sweep stops. Notes that
/// come twice, or after others that were sent later, change nothing.
void coordinate(Transport& transport, Sweep& sweep, const std::string& lease, const CoordinatorHooks& hooks,
                double silence_limit = default_silence_limit);

/// Sends every worker home.
void dismiss_workers(Transport& transport);

}  // namespace isogrid::cluster
