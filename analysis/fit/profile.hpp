// Intervals where the likelihood is not quadratic: how far a parameter can go before the others can no longer
// make up for it.
#pragma once

#include <cstddef>
#include <span>

#include "analysis/fit/bootstrap.hpp"
#include "analysis/fit/parametric.hpp"

namespace isogrid::analysis {

/// The 95% profile interval of reported parameter `index` about the least-squares optimum `at`: where the sum
/// of squares, minimized over all other parameters, exceeds its minimum by t(.975, n - p)^2 / (n - p) of it
/// (Bates and Watts 1988, section 6.1.2). An end that is never reached is infinite: the runs set no such
/// limit. `se` is the linear approximation's. Unknown (NaN) with no more observations than parameters.
Estimate profile_interval(const ParametricLaw& law, std::span<const double> at, std::size_t index);

/// Correlation of two reported parameters in the linear approximation at `at`; NaN where it is singular.
double linear_correlation(const ParametricLaw& law, std::span<const double> at, std::size_t a, std::size_t b);

}  // namespace isogrid::analysis
