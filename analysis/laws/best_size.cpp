#include "analysis/laws/best_size.hpp"

#include <cmath>
#include <limits>

#include <boost/math/tools/minima.hpp>

namespace isogrid::analysis {

Optimum optimum_on(const LossSurface::Loss& loss, double flops, double flops_per_parameter_token) {
    const double product = flops / flops_per_parameter_token;
    const auto at = [&](double log_size) { return loss(std::exp(log_size), product / std::exp(log_size)); };
    constexpr int bits = 30;         // of the minimum's place: half of a double's are real
    constexpr double widest = 16.2;  // e-folds searched to each side: a factor of 1e7
    const double middle = 0.5 * std::log(product);
    // A grid first: far from the optimum a surface may be flat, where Brent's method would stop.
    constexpr int steps = 128;
    int lowest = 0;
    double least = std::numeric_limits<double>::infinity();
    for (int i = 0; i <= steps; ++i)
        if (const double value = at(middle + widest * (2.0 * i / steps - 1)); value < least)
            least = value, lowest = i;
    const double centre = middle + widest * (2.0 * lowest / steps - 1), reach = 2 * widest / steps;
    const auto [log_size, value] =
        boost::math::tools::brent_find_minima(at, centre - reach, centre + reach, bits);
    return {flops, std::exp(log_size), product / std::exp(log_size), value};
}

}  // namespace isogrid::analysis
