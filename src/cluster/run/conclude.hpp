// The end of `isogrid run` on rank 0: work is left, or all of it is merged, verified and tidied up.
#pragma once

#include <string>

#include "archive/durable_file.hpp"
#include "cluster/folder/lock.hpp"
#include "cluster/run/run.hpp"
#include "cluster/run/words.hpp"
#include "cluster/sweep/sweep.hpp"

namespace isogrid::cluster {

/// Once nothing of `sweep` runs any more: says how it ended, and gives the exit code. Where every trial has
/// ended, the results are merged into the archive, and the run folder is emptied once that is verified.
/// `cut_short` is what train_sweep returned.
int conclude(const Sweep& sweep, const std::string& cut_short, const RunRequest& request, const Lock& lock,
             const archive::Writer& writer, RunWords& words);

}  // namespace isogrid::cluster
