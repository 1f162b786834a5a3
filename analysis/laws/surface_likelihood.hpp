// How well a law of L(N, D) describes its runs, under the errors that the objective supposes.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "analysis/fit/objective.hpp"
#include "analysis/laws/law.hpp"

namespace isogrid::analysis {

/// log L observed minus log L of the law, for each run.
std::vector<double> log_residuals(const std::vector<Run>& runs, const LossSurface::Loss& law);

/// Minus twice the log likelihood, up to a constant, under the errors that the objective supposes: normal for
/// l2, Laplace's for l1, for asymmetric its two-sided kind (Yu and Zhang 2005), for huber whichever of the
/// first two its delta makes of most residuals.
double deviance(const Objective& objective, std::span<const double> log_residuals);

/// Akaike's criterion, 2 k + deviance (Akaike 1974); one of the k is the errors' scale.
double akaike(const Objective& objective, std::span<const double> log_residuals, std::size_t parameters);

}  // namespace isogrid::analysis
