// Whether runs are such as the data-constrained law describes, and whether it foretells more epochs.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "analysis/fit/refusal.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/repetition.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// A run that came out worse by more than a hundredth than one of its size that was trained for less, on the
/// same different tokens: the best of those.
struct HarmedRun {
    Run run;
    std::string shorter;
    double rise = 0;
};

/// Runs that repetition harmed. All terms of the law only fall with tokens, so it cannot describe them.
/// Repeats by seed count with their mean; of other runs of equal tokens (to 2%) the best says whether all are
/// harmed.
struct Harm {
    std::size_t compared = 0;     ///< amounts of tokens that have a smaller one to be held against
    std::vector<HarmedRun> runs;  ///< by falling rise
    std::vector<Run> unharmed;    ///< all other runs
};
Harm harm_of_repetition(const std::vector<Run>& runs);

/// The warning, where any run was harmed: by how much the law misses these runs and the others, and what R_D*
/// would be without them. That law is not taken in its place: on the plateau, where epochs hardly help, runs
/// left out for their loss would be those of an unlucky seed.
Reason describe_harm(const Harm& harm, const RepetitionLaw& law, double decay, double decay_without);

/// A warning where runs of more epochs than were fitted are predicted with an error of more than 5%, on
/// average over the cuts.
std::optional<Reason> misses_more_epochs(const std::vector<Cut>& cuts);

}  // namespace isogrid::analysis
