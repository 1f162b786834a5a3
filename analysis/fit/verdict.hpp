// Whether a fit may be believed: what refuses it, and what a reader must be warned of.
#pragma once

#include <optional>
#include <vector>

#include "analysis/fit/parametric.hpp"

namespace isogrid::analysis {

/// Whether BFGS alone, from points drawn in the box of the starts, comes to the lowest of `minima` too. What
/// it finds lower joins them.
bool certify(const ParametricLaw& law, const FitOptions& options, std::vector<Minimum>& minima);

/// Why the fit does not stand: the optimizer did not arrive or did not move, a parameter on its bound, bad
/// conditioning.
std::optional<Reason> refuse(const ParametricLaw& law, const FitOptions& options, const ParametricFit& fit);

/// Adds warnings and notes to a fit that stands: few starts at the optimum, others nearly as good, parameters
/// without a limit or at a soft bound, rivals that go together, resamples lost.
void warn(const ParametricLaw& law, const FitOptions& options, bool certified, ParametricFit& fit);

}  // namespace isogrid::analysis
