// The minimum of a loss over one or two knobs (learning rate, batch), by a quadratic through the points near
// it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "analysis/fit/refusal.hpp"

namespace isogrid::analysis {

/// How many times larger or smaller a knob may be than at the lowest point, for a point to be fitted.
constexpr double farthest_fitted = 12;

/// A quadratic of log loss over the logarithms of the knobs.
struct Bowl {
    std::optional<Refusal> refused;    ///< too_few_runs, edge_minimum or concave; absent: the vertex stands
    std::size_t lowest = 0;            ///< the point of lowest loss
    std::vector<std::size_t> fitted;   ///< the points near it, through which the quadratic goes
    std::vector<std::size_t> absurd;   ///< points so high that they diverged, or nearly
    std::vector<std::size_t> distant;  ///< points that are not, but farther off than any that is fitted
    std::vector<double> vertex;        ///< of each knob
    std::vector<double> vertex_variance;  ///< of each, for residuals of variance 1
    double minimum = 0;                   ///< log loss at the vertex
    double squares = 0;                   ///< of the residuals of log loss
    std::vector<double> coefficients;     ///< about `center`: 1, x, (y,) x^2, (xy, y^2)
    std::vector<double> center;

    /// Log loss at a place.
    double at(std::span<const double> place) const;
    /// Points beyond coefficients.
    double freedom() const;
    /// Log loss at this value of one knob, the other (if any) at its best.
    double profile(std::size_t knob, double value) const;
};

/// `places` holds each point's knobs; all points have one or all have two. Near the lowest are the points
/// within a factor of 4 of it in every knob, and as many factors of 1.5 more (up to 12) as it takes to have
/// two points more than coefficients, of three values of each knob. Points above 1.3 times the lowest loss
/// are left out. Refused: fewer points than coefficients, or fewer than three values of a knob; the lowest at
/// an edge of a knob's values, or the vertex outside the points fitted (edge_minimum); a quadratic that opens
/// downwards in some direction (concave).
Bowl fit_bowl(const std::vector<std::vector<double>>& places, std::span<const double> log_loss);

/// The same quadratic through the same points after their losses (of all points, in order) were drawn again;
/// concave at worst.
Bowl refit(const Bowl& bowl, const std::vector<std::vector<double>>& places,
           std::span<const double> log_loss);

}  // namespace isogrid::analysis
