// Which form of L(N, D) predicts best what it has not seen.
#pragma once

#include <string>
#include <vector>

#include "analysis/fit/validation.hpp"
#include "analysis/laws/surface_form.hpp"

namespace isogrid::analysis {

/// Fitted to the runs of little compute, tried on those of more, cut after cut.
std::vector<Cut> validate_form(const SurfaceForm& form, const std::vector<Run>& runs,
                               const FitOptions& options);

/// All forms on the same runs, and the one that predicts held-out runs best.
struct FormComparison {
    Table table;
    std::string winner;  ///< a law's name; empty when no form could be tried
};
FormComparison compare_forms(const Runs& runs, const FitOptions& options);

}  // namespace isogrid::analysis
