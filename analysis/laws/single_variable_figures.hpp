// Tables and pictures of a law over one variable.
#pragma once

#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "analysis/figures/figure.hpp"
#include "analysis/fit/parametric.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/curve_forms.hpp"
#include "analysis/laws/single_variable.hpp"

namespace isogrid::analysis {

/// A form on these points: how well it fits, and how well it foresees.
struct Candidate {
    FittedForm fit;
    double akaike = std::numeric_limits<double>::quiet_NaN();
    double held_out = std::numeric_limits<double>::quiet_NaN();
    std::vector<Cut> cuts;
};

/// The forms beside each other. `chosen`: an index, or their number where none is; `points`: how many runs.
Table form_table(const std::vector<Candidate>& candidates, std::size_t chosen, std::size_t points);

/// The exponent under every convention that all of the runs store; nothing where there are not two.
std::optional<Table> convention_table(const Ladder& ladder, std::span<const Run* const> runs);

/// The loss to expect at 1, 10 and 100 times the `largest` x, by the law and by the form that was chosen
/// (null: none).
Table ahead_table(const Ladder& ladder, const ParametricFit& found, const FittedForm* chosen, double largest);

/// Loss over the variable: runs, the law in its interval, the form that was chosen, and what was left out.
Figure curve_figure(const Ladder& ladder, const std::vector<const Run*>& left_out,
                    const std::vector<CurvePoint>& points, const ParametricFit& found,
                    const FittedForm* chosen);

/// What is left above the floor: a straight line where the law holds. `values`: E, A and alpha.
Figure reducible_figure(const Ladder& ladder, const std::vector<CurvePoint>& points,
                        std::span<const double> values);

}  // namespace isogrid::analysis
