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

PowerLaw fit_power_law(std::span<const double> x, std::span<const double> y) {
    assert(x.size() == y.size() && x.size() >= 2);
    const double count = static_cast<double>(x.size());
    double mean_x = 0, mean_y = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        mean_x += std::log(x[i]) / count;
        mean_y += std::log(y[i]) / count;
    }
    double xx = 0, xy = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double dx = std::log(x[i]) - mean_x;
        xx += dx * dx;
        xy += dx * (std::log(y[i]) - mean_y);
    }
    PowerLaw law;
    law.exponent = xy / xx;
    law.log_coefficient = mean_y - law.exponent * mean_x;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double residual = std::log(y[i]) - law.log_coefficient - law.exponent * std::log(x[i]);
        law.squares += residual * residual;
    }
    return law;
}

}  // namespace isogrid::analysis
