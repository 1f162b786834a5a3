// The minimum of a budget's loss over model size, by a parabola through the points near it.
#pragma once

#include <cstddef>
#include <numbers>
#include <optional>
#include <span>

#include "analysis/fit/refusal.hpp"

namespace isogrid::analysis {

/// loss = minimum + curvature (u - vertex)^2.
struct Parabola {
    double vertex = 0;
    double minimum = 0;
    double curvature = 0;
    double squares = 0;  ///< sum of squared residuals of the loss

    double at(double u) const { return minimum + curvature * (u - vertex) * (u - vertex); }
};

/// Least squares through three or more points at different u.
Parabola fit_parabola(std::span<const double> u, std::span<const double> loss);

struct LocalMinimum {
    std::optional<Refusal> refused;   ///< too_few_runs, edge_minimum or concave; absent: the vertex stands
    std::size_t lowest = 0;           ///< the point of lowest loss
    std::size_t first = 0, last = 0;  ///< the points fitted, both included
    Parabola parabola;                ///< of those points; meaningless when refused
};

/// Which points count as near the lowest: its two neighbours, all others within `reach` (u is log N: a factor
/// of two), and, while they are fewer than `points`, the next nearest within `sparse_reach`.
struct Window {
    double reach = std::numbers::ln2;
    std::size_t points = 3;
    double sparse_reach = 0;
};

/// The parabola through the points near the lowest: farther out the loss is no parabola, and one through all
/// points would be pulled off (docs/laws/isoflop.md). `u` rises. Refused: fewer than three points; the lowest
/// at the edge, or the vertex outside the points fitted (edge_minimum, or concave when a parabola through all
/// points opens downwards); a local parabola that opens downwards (concave).
LocalMinimum find_minimum(std::span<const double> u, std::span<const double> loss, const Window& window = {});

}  // namespace isogrid::analysis
