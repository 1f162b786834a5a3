// What there is already of a study: every trial of its grid, looked for in the archive and its run folder.
#pragma once

#include <filesystem>

#include "archive/found.hpp"
#include "archive/weights_use.hpp"
#include "base/fault.hpp"
#include "study/study.hpp"

namespace isogrid::archive {

/// Looks for each trial of the grid, by identity, in the archive (if there is one), its segments and its
/// trial files, and checks all it finds, weights outside of the archive included unless they are skipped. A
/// finished record beats one that is not; among equals the archive's, then the last started. Files that are
/// damaged are rejected, those of other trials foreign; two results of one trial that differ are reported.
/// Temporary files are passed over, and so is a trial outside the grid that a longer one of the grid begins
/// as (study::beginning): a trunk that has been lengthened. A fault when the archive itself cannot be trusted
/// or holds other trials outside the grid, or has another run folder than it seems, being a link:
/// nothing may then be written. Throws where that folder cannot be listed: what is there is not known then.
base::Result<Found> find_trials(const std::filesystem::path& archive, const study::Grid& grid,
                                WeightsUse weights = WeightsUse::check);

}  // namespace isogrid::archive
