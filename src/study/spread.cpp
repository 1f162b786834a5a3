#include "study/spread.hpp"

#include <algorithm>
#include <cmath>

namespace isogrid::study {

std::vector<std::size_t> spread_evenly(std::span<const double> rising, std::size_t count) {
    std::vector<std::size_t> chosen;
    count = std::min(count, rising.size());
    for (std::size_t i = 0; i < count; ++i) {
        const double part = count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0.5;
        const double target = rising.front() + part * (rising.back() - rising.front());
        // Each takes the nearest of those that leave enough for the rest.
        std::size_t best = chosen.empty() ? 0 : chosen.back() + 1;
        for (std::size_t j = best + 1; j + (count - i) <= rising.size(); ++j) {
            if (std::abs(rising[j] - target) < std::abs(rising[best] - target)) best = j;
        }
        chosen.push_back(best);
    }
    return chosen;
}

std::vector<std::int64_t> evaluation_steps(std::int64_t steps, std::int64_t points) {
    constexpr double first_fraction = 0.02;
    std::vector<std::int64_t> chosen;
    for (std::int64_t i = 0; i + 1 < points; ++i) {
        const double part = static_cast<double>(i) / static_cast<double>(points - 1);
        const double exact = static_cast<double>(steps) * std::pow(first_fraction, 1 - part);
        const std::int64_t step = std::max<std::int64_t>(1, std::llround(exact));
        if (step < steps && (chosen.empty() || step > chosen.back())) chosen.push_back(step);
    }
    chosen.push_back(steps);
    return chosen;
}

}  // namespace isogrid::study
