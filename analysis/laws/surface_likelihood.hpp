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

/// The errors of log losses: normal, or Laplace's, of its two-sided kind where the quantile is not a half (Yu
/// and Zhang 2005).
struct SupposedErrors {
    bool normal = true;
    double quantile = 0.5;  ///< of Laplace's: the share that lies below the law
};

/// Those that the objective supposes: normal for l2, Laplace's for l1 and asymmetric, for huber whichever of
/// the two its delta makes of most of these residuals. Laws are compared under one kind of errors: it is to
/// be found once, from the residuals of the freest of them.
SupposedErrors errors_of(const Objective& objective, std::span<const double> log_residuals);

/// Minus twice the log likelihood, up to a constant that hangs on the kind of errors and the number of
/// residuals alone.
double deviance(const SupposedErrors& errors, std::span<const double> log_residuals);

/// Akaike's criterion, 2 k + deviance (Akaike 1974); one of the k is the errors' scale.
double akaike(const SupposedErrors& errors, std::span<const double> log_residuals, std::size_t parameters);

}  // namespace isogrid::analysis
