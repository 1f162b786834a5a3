// A sweep in one process: the coordinator's loop and the worker's, without the messages between them.
#pragma once

#include "cluster/coordination/coordinator.hpp"
#include "cluster/sweep/sweep.hpp"
#include "cluster/worker/execute.hpp"

namespace isogrid::cluster {

/// Trains what `sweep` holds, one trial after the other, until all of it ended or
/// hooks.keep_going said no: then the running trial ends at its next step boundary.
void train_alone(Sweep& sweep, const Workplace& workplace, const archive::Writer& writer,
                 const CoordinatorHooks& hooks);

}  // namespace isogrid::cluster
