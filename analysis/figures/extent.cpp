#include "analysis/figures/extent.hpp"

#include <algorithm>
#include <cmath>

namespace isogrid::analysis {

void Extent::add(double value) {
    low = std::min(low, value), high = std::max(high, value);
}

double Extent::place(double value) const {
    return high > low ? std::log(value / low) / std::log(high / low) : 0.5;
}

std::vector<double> log_spaced(double low, double high, int steps) {
    std::vector<double> places;
    for (int step = 0; step <= steps; ++step)
        places.push_back(low * std::pow(high / low, static_cast<double>(step) / steps));
    return places;
}

}  // namespace isogrid::analysis
