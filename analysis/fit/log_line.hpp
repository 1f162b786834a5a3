// A power law through points that are themselves estimates: optima, critical batches.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "analysis/fit/bootstrap.hpp"
#include "analysis/fit/options.hpp"

namespace isogrid::analysis {

/// log y = coefficients[0] + sum over j of coefficients[j + 1] x_j, where x_j is already a logarithm.
struct LogLine {
    std::vector<double> coefficients;
    std::vector<std::vector<double>> replicates;  ///< the coefficients of each replicate
    double deviation = 0;                         ///< of the points about the line, in log y
    bool scattered = false;                       ///< the points scatter more than their own errors explain
    bool few_groups = false;  ///< no more groups than terms: each point was taken to be one of its own

    double at(std::span<const double> x) const;
    /// exp of the line at x, with its replicates' spread.
    Estimate estimate(std::span<const double> x) const;
    Estimate coefficient(std::size_t which) const;
    /// exp of coefficients[0].
    Estimate scale() const;
};

enum class Weighting {
    equal,  ///< every point counts the same: ordinary least squares, as published power laws mostly are
    error   ///< by the inverse of the point's variance
};

/// A point of the line. `variance` is that of log y as far as the point's own error goes: 0 where not known.
/// What moves points of one `group` off the line (the model size that they share, say) moves them together;
/// a point without one is a group of its own.
struct LinePoint {
    std::vector<double> x;
    double log_y = 0;
    double variance = 0;
    std::optional<double> group = {};
};

/// Least squares; without coefficients where the points do not determine them, without replicates where
/// neither the points' own errors nor a point to spare show how sure they are. `redrawn` holds, for each
/// replicate, the points' log y estimated again (NaN where one could not be); empty where the points' own
/// errors are not known. Where the points scatter about the line as their errors let expect (chi-square at
/// 10%), a replicate is the line through the redraws; where they scatter more, or errors are not known, the
/// scatter itself is the error: weights and deviation of a random-effects model (DerSimonian and Laird 1986),
/// with Student's interval (Hartung and Knapp 2001). Squares are averaged over a group's points, groups less
/// terms are the degrees of freedom, and a replicate moves the points of a group by one draw: m points that
/// go together say what one of them says.
LogLine fit_log_line(std::span<const LinePoint> points, const std::vector<std::vector<double>>& redrawn,
                     Weighting weighting, const FitOptions& options);

}  // namespace isogrid::analysis
