// What the forms of L(N, D) have in common: joint, joint_kaplan and joint_rosenfeld are fitted, tried on
// held-out runs and drawn alike.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "analysis/fit/joint_law.hpp"
#include "analysis/fit/parametric.hpp"
#include "analysis/laws/law.hpp"

namespace isogrid::analysis {

/// A form of loss over size and data.
struct SurfaceForm {
    std::string_view name;
    std::string_view title;                         ///< for people: `the joint law`
    ParametricLaw (*law)(const std::vector<Run>&);  ///< owns its data
    double (*loss)(std::span<const double> values, double parameters, double tokens);
    /// Every form is a rising function of some E + A / N^alpha + B / D^beta, and so has that one's optima.
    JointLaw (*core)(std::span<const double> values);
};

/// joint (with alpha = beta where the options ask for it), joint_kaplan, joint_rosenfeld.
std::array<SurfaceForm, 3> surface_forms(const FitOptions& options);
extern const SurfaceForm joint_form, kaplan_form, rosenfeld_form;
/// joint with alpha = beta, in its place where that is asked for; its values are joint's five.
extern const SurfaceForm one_exponent_form;

/// The form's values from a hundred starts spread over its grid, without intervals and without certifying:
/// for many fits of a few runs each. Nothing where the form is refused.
std::optional<std::vector<double>> fit_quickly(const SurfaceForm& form, const std::vector<Run>& runs,
                                               FitOptions options);

struct SurfaceFit {
    LawFit fit;           ///< with parameters, surface, prediction, validation and pictures
    ParametricFit found;  ///< empty when there were too few runs to begin
    Runs runs;            ///< those that it was fitted to: of sweeps the best (well_tuned)
};

/// Fits one form. Refused: fewer than three runs more than parameters, under three sizes or token counts,
/// sizes and tokens that moved together (not_separable), and what fit_parametric refuses.
SurfaceFit fit_surface(const SurfaceForm& form, const Runs& runs, const FitOptions& options);

}  // namespace isogrid::analysis
