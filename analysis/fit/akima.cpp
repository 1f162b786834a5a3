#include "analysis/fit/akima.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

namespace isogrid::analysis {

Akima::Akima(std::span<const double> x, std::span<const double> y) {
    assert(x.size() == y.size() && x.size() >= 3);
    const std::size_t count = x.size();
    // Slopes between neighbours, and two beyond each end as a parabola through the last three would have
    // them.
    std::vector<double> m(count + 3);
    for (std::size_t i = 0; i + 1 < count; ++i)
        m[i + 2] = (y[i + 1] - y[i]) / (x[i + 1] - x[i]);
    m[1] = 2 * m[2] - m[3];
    m[0] = 2 * m[1] - m[2];
    m[count + 1] = 2 * m[count] - m[count - 1];
    m[count + 2] = 2 * m[count + 1] - m[count];
    std::vector<double> slope(count);
    for (std::size_t i = 0; i < count; ++i) {
        const double after = std::abs(m[i + 3] - m[i + 2]), before = std::abs(m[i + 1] - m[i]);
        slope[i] = after + before > 0 ? (after * m[i + 1] + before * m[i + 2]) / (after + before)
                                      : 0.5 * (m[i + 1] + m[i + 2]);
    }
    for (std::size_t i = 0; i + 1 < count; ++i) {
        const double h = x[i + 1] - x[i], chord = m[i + 2];
        cubics_.push_back({x[i], h, y[i], slope[i], (3 * chord - 2 * slope[i] - slope[i + 1]) / h,
                           (slope[i] + slope[i + 1] - 2 * chord) / (h * h)});
    }
}

double Akima::at(double x) const {
    const auto after = std::upper_bound(cubics_.begin() + 1, cubics_.end(), x,
                                        [](double value, const Cubic& cubic) { return value < cubic.x; });
    const Cubic& cubic = *(after - 1);
    return cubic.at(x - cubic.x);
}

Akima::Point Akima::minimum() const {
    Point lowest{cubics_.front().x, cubics_.front().c0};
    for (const Cubic& cubic : cubics_) {
        // The slope c1 + 2 c2 s + 3 c3 s^2 vanishes; solved so that a tiny c3 does no harm.
        const double root = cubic.c2 * cubic.c2 - 3 * cubic.c3 * cubic.c1;
        std::array<double, 3> candidates = {cubic.width, 0, 0};
        if (root >= 0) {
            const double q = -(cubic.c2 + std::copysign(std::sqrt(root), cubic.c2));
            if (cubic.c3 != 0) candidates[1] = q / (3 * cubic.c3);
            if (q != 0) candidates[2] = cubic.c1 / q;
        }
        for (const double s : candidates)
            if (s >= 0 && s <= cubic.width && cubic.at(s) < lowest.y) lowest = {cubic.x + s, cubic.at(s)};
    }
    return lowest;
}

}  // namespace isogrid::analysis
