// Families of runs (architectures, optimizers, recipes) that laws hold against each other.
#pragma once

#include <string>
#include <vector>

#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// Names of the families that have compute to be compared at, in order of first appearance.
std::vector<std::string> families_of(const Runs& runs);

/// The runs of one family, and those that it shares: two recipes of the study `schedules` that come to the
/// same trial (the longest one's own warm-up, say) have it once, under the first. One that was rejected is no
/// such trial.
Runs runs_of_family(const Runs& runs, const std::string& family);

/// Runs of one family, and what a reader must know of the others; nothing where there are none.
struct LargestFamily {
    Runs runs;
    std::string note;
};

/// The family that most runs are of; of equally many the one with the lowest loss.
LargestFamily largest_family(const Runs& runs);

}  // namespace isogrid::analysis
