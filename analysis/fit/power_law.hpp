// A power law as a straight line in logarithms.
#pragma once

#include <span>

namespace isogrid::analysis {

/// y = coefficient x^exponent.
struct PowerLaw {
    double log_coefficient = 0;  ///< natural; coefficients themselves may leave the range of a double
    double exponent = 0;
    double squares = 0;  ///< weighted sum of squared residuals of log y

    double at(double x) const;
    double coefficient() const;
};

/// Least squares of log y on log x, with one weight a point or none. Takes two or more points with at least
/// two different x, all positive.
PowerLaw fit_power_law(std::span<const double> x, std::span<const double> y,
                       std::span<const double> weights = {});

}  // namespace isogrid::analysis
