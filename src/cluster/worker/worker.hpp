// A worker's life: ask for work, train with the group it is given, report, until told to go home.
#pragma once

#include <functional>
#include <memory>

#include "cluster/messages/transport.hpp"
#include "cluster/worker/execute.hpp"

namespace isogrid::cluster {

/// Makes the communicator of a trial's group; every member calls it. `told_to_abandon` is looked at in waits
/// for other members, which may never come.
using MakeGroup =
    std::function<std::unique_ptr<Group>(const Assign& assign, std::function<bool()> told_to_abandon)>;

/// Works until the coordinator says stop. `asked_to_stop` is looked at while training (a signal came): the
/// trial ends at its next step boundary, reported as interrupted, which ends the sweep. The assignment's
/// lease must still stand in the run folder's lock when a trial file gets its name.
void work(Transport& transport, const Workplace& workplace, const MakeGroup& make_group,
          const std::function<bool()>& asked_to_stop);

}  // namespace isogrid::cluster
