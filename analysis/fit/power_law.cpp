#include "analysis/fit/power_law.hpp"

#include <cassert>
#include <cmath>

namespace isogrid::analysis {

double PowerLaw::at(double x) const {
    return std::exp(log_coefficient + exponent * std::log(x));
}

double PowerLaw::coefficient() const {
    return std::exp(log_coefficient);
}

PowerLaw fit_power_law(std::span<const double> x, std::span<const double> y,
                       std::span<const double> weights) {
    assert(x.size() == y.size() && x.size() >= 2);
    assert(weights.empty() || weights.size() == x.size());
    const auto weight = [&](std::size_t i) { return weights.empty() ? 1.0 : weights[i]; };
    double total = 0, mean_x = 0, mean_y = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        total += weight(i);
        mean_x += weight(i) * std::log(x[i]);
        mean_y += weight(i) * std::log(y[i]);
    }
    mean_x /= total, mean_y /= total;
    double xx = 0, xy = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double dx = std::log(x[i]) - mean_x;
        xx += weight(i) * dx * dx;
        xy += weight(i) * dx * (std::log(y[i]) - mean_y);
    }
    PowerLaw law;
    law.exponent = xy / xx;
    law.log_coefficient = mean_y - law.exponent * mean_x;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double residual = std::log(y[i]) - law.log_coefficient - law.exponent * std::log(x[i]);
        law.squares += weight(i) * residual * residual;
    }
    return law;
}

}  // namespace isogrid::analysis
