#include "analysis/fit/parabola.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

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

namespace {

/// Sets first and last around the lowest point; no further than the window and the points go.
void take_window(LocalMinimum& found, std::span<const double> u, const Window& window) {
    const std::size_t end = u.size() - 1;
    found.first = found.lowest - std::min<std::size_t>(found.lowest, 1);
    found.last = std::min(found.lowest + 1, end);
    const double none = std::numeric_limits<double>::infinity();
    while (true) {
        const double below = found.first > 0 ? u[found.lowest] - u[found.first - 1] : none;
        const double above = found.last < end ? u[found.last + 1] - u[found.lowest] : none;
        const bool few = found.last - found.first + 1 < window.points;
        if (std::min(below, above) > (few ? std::max(window.reach, window.sparse_reach) : window.reach))
            return;
        below < above ? --found.first : ++found.last;
    }
}

}  // namespace

LocalMinimum find_minimum(std::span<const double> u, std::span<const double> loss, const Window& window) {
    LocalMinimum found;
    if (u.size() < 3) {
        found.refused = Refusal::too_few_runs;
        return found;
    }
    const std::size_t end = u.size() - 1;
    found.lowest = static_cast<std::size_t>(std::min_element(loss.begin(), loss.end()) - loss.begin());
    take_window(found, u, window);
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
