// Hosts that lack what trials need and the others have, as where a card has dropped off: OUT.h5.d/unfit/HOST.
#pragma once

#include <filesystem>

namespace isogrid::cluster {

/// Notes that this host lacks something in this start of its Slurm job, `JOB.RESTARTS`: slurm/sweep starts
/// again without it. Does nothing outside of Slurm; a disk that refuses is passed over.
void note_unfit_host(const std::filesystem::path& folder);

}  // namespace isogrid::cluster
