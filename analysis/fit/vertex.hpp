// Where sums of absolute residuals have their minima.
#pragma once

#include <span>
#include <vector>

#include "analysis/fit/minimize.hpp"

namespace isogrid::analysis {

/// Moves an almost-optimal l1 point to the vertex beside it, where as many residuals are zero as there are
/// parameters (Bloomfield and Steiger 1983, section 1.3): Newton's method on "these residuals are zero" for
/// the observations that it nearly passes through. True when the vertex is lower; else `at` and `value` stay.
bool place_on_vertex(const ResidualModel& model, std::span<const double> weights, std::vector<double>& at,
                     double& value);

}  // namespace isogrid::analysis
