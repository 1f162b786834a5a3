// What the forms of L(N, D) have in common: joint, joint_kaplan and joint_rosenfeld are fitted, tried on
// held-out runs, drawn and compared alike.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/fit/parametric.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/joint.hpp"
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

struct SurfaceFit {
    LawFit fit;           ///< with parameters, surface, prediction, validation and pictures
    ParametricFit found;  ///< empty when there were too few runs to begin
};

/// Fits one form. Refused: fewer than three runs more than parameters, under three sizes or token counts,
/// sizes and tokens that moved together (not_separable), and what fit_parametric refuses.
SurfaceFit fit_surface(const SurfaceForm& form, const Runs& runs, const FitOptions& options);

/// Runs that differ by their seed alone share a number.
std::vector<std::size_t> repeats_of(const std::vector<Run>& runs);

/// FLOPs per parameter and token, C / (N D), at the largest budget: 6 under the approximation C = 6 N D.
double flops_per_parameter_token(const std::vector<Run>& runs);

/// What a reader must know of it: `the optimum at a budget assumes C = ..`.
std::string assumed_cost(double flops_per_parameter_token);

/// The lowest loss of all.
double lowest_loss(const std::vector<Run>& runs);

/// A warning where the law expects 3% more or less of the run of lowest loss than it came to: recommendations
/// lie beyond that run, not beyond the many that decide the fit.
std::optional<Reason> misses_the_best_run(const std::vector<Run>& runs, const LossSurface::Loss& law);

/// log L observed minus log L of the law, for each run.
std::vector<double> log_residuals(const std::vector<Run>& runs, const LossSurface::Loss& law);

/// Minus twice the log likelihood, up to a constant, under the errors that the objective supposes: normal for
/// l2, Laplace's for l1, for asymmetric its two-sided kind (Yu and Zhang 2005), for huber whichever of the
/// first two its delta makes of most residuals.
double deviance(const Objective& objective, std::span<const double> log_residuals);

/// Akaike's criterion, 2 k + deviance (Akaike 1974); one of the k is the errors' scale.
double akaike(const Objective& objective, std::span<const double> log_residuals, std::size_t parameters);

/// All forms on the same runs, and the one that predicts held-out runs best.
struct FormComparison {
    Table table;
    std::string winner;  ///< a law's name; empty when no form could be tried
};
FormComparison compare_forms(const Runs& runs, const FitOptions& options);

}  // namespace isogrid::analysis
