// Options that were given and change nothing here: somebody may believe that they did.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/answer/answer.hpp"

namespace isogrid::analysis {

/// Adds a note to each law that is fitted, or draws its replicates, as it always is, whatever was asked for.
void say_what_has_no_effect(const FitOptions& options, std::vector<LawFit>& fits);

/// One line for each option that no part of the answer depends on, with the reason.
std::vector<std::string> options_without_effect(const Answer& all, std::optional<double> inference_tokens);

}  // namespace isogrid::analysis
