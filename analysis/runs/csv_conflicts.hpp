// Rows that give one point of a run two losses: a run was taken up again, or the rows are of two runs.
#pragma once

#include <cstddef>
#include <vector>

#include "analysis/runs/runs.hpp"
#include "base/fault.hpp"

namespace isogrid::analysis {

/// Of `runs.used`, each a row that stands on its line of `lines`, the later of two losses at one point of a
/// run counts, and the earlier row is rejected: where the run was taken up again behind an earlier point, or
/// where bad rows are skipped. Elsewhere a fault for each run: one of two seeds or of two validation sets.
base::Faults settle_conflicts(Runs& runs, std::vector<std::size_t>& lines, bool skip_bad_rows);

}  // namespace isogrid::analysis
