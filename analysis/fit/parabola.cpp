#include "analysis/fit/parabola.hpp"

#include <algorithm>
#include <cassert>

#include <Eigen/Dense>

namespace isogrid::analysis {

Parabola fit_parabola(std::span<const double> u, std::span<const double> loss) {
    assert(u.size() == loss.size() && u.size() >= 3);
    // About the middle and in units of half the width, so that the columns are as independent as they can be.
    const double middle = 0.5 * (u.front() + u.back()), half = 0.5 * (u.back() - u.front());
    const auto count = static_cast<Eigen::Index>(u.size());
    Eigen::MatrixXd design(count, 3);
    Eigen::VectorXd observed(count);
    for (Eigen::Index i = 0; i < count; ++i) {
        const double t = (u[static_cast<std::size_t>(i)] - middle) / half;
        design.row(i) << 1, t, t * t;
        observed[i] = loss[static_cast<std::size_t>(i)];
    }
    const Eigen::Vector3d c = design.colPivHouseholderQr().solve(observed);
    Parabola parabola;
    parabola.curvature = c[2] / (half * half);
    parabola.vertex = middle - half * c[1] / (2 * c[2]);
    parabola.minimum = c[0] - c[1] * c[1] / (4 * c[2]);
    parabola.squares = (design * c - observed).squaredNorm();
    return parabola;
}

LocalMinimum find_minimum(std::span<const double> u, std::span<const double> loss, double reach) {
    LocalMinimum found;
    if (u.size() < 3) {
        found.refused = Refusal::too_few_runs;
        return found;
    }
    const std::size_t end = u.size() - 1;
    found.lowest = static_cast<std::size_t>(std::min_element(loss.begin(), loss.end()) - loss.begin());
    found.first = found.lowest - std::min<std::size_t>(found.lowest, 1);
    found.last = std::min(found.lowest + 1, end);
    while (found.first > 0 && u[found.lowest] - u[found.first - 1] <= reach)
        --found.first;
    while (found.last < end && u[found.last + 1] - u[found.lowest] <= reach)
        ++found.last;
    if (found.lowest == 0 || found.lowest == end) {
        found.refused = fit_parabola(u, loss).curvature > 0 ? Refusal::edge_minimum : Refusal::concave;
        return found;
    }
    const std::size_t count = found.last - found.first + 1;
    found.parabola = fit_parabola(u.subspan(found.first, count), loss.subspan(found.first, count));
    if (!(found.parabola.curvature > 0))
        found.refused = Refusal::concave;
    else if (found.parabola.vertex < u[found.first] || found.parabola.vertex > u[found.last])
        found.refused = Refusal::edge_minimum;
    return found;
}

}  // namespace isogrid::analysis
