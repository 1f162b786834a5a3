#include "analysis/laws/surface_form.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/surface_comparison.hpp"
#include "analysis/laws/surface_figures.hpp"
#include "analysis/laws/surface_likelihood.hpp"
#include "analysis/laws/surface_runs.hpp"
#include "analysis/laws/sweep.hpp"

namespace isogrid::analysis {
namespace {

std::vector<Parameter> exponents_of_optima(const SurfaceForm& form, const ParametricFit& found) {
    const auto exponent = [&form](double JointLaw::*of) {
        return [&form, of](std::span<const double> values) {
            const JointLaw core = form.core(values);
            return core.*of / (core.alpha + core.beta);
        };
    };
    return {derived(found, "parameters_exponent", exponent(&JointLaw::beta)),
            derived(found, "tokens_exponent", exponent(&JointLaw::alpha))};
}

LossSurface surface_of(const SurfaceForm& form, const ParametricFit& found, const std::vector<Run>& runs) {
    const auto loss_of = [&form](std::vector<double> values) -> LossSurface::Loss {
        return [&form, values = std::move(values)](double N, double D) { return form.loss(values, N, D); };
    };
    LossSurface surface;
    surface.loss = loss_of(found.values);
    for (const auto& replicate : found.replicates)
        surface.replicates.push_back(loss_of(replicate));
    surface.widening = found.widening;
    surface.lowest_seen = lowest_loss(runs);
    return surface;
}

/// The best size for a budget by the law, with the intervals of its replicates.
std::function<Prediction(double)> optimum_of(const SurfaceForm& form, const ParametricFit& found,
                                             const LossSurface& surface) {
    std::vector<JointLaw> others;
    for (const auto& replicate : found.replicates)
        others.push_back(form.core(replicate));
    return [name = std::string(form.name), surface, core = form.core(found.values), others](double flops) {
        const double factor = surface.flops_per_parameter_token;
        std::vector<double> sizes, tokens, losses;
        for (std::size_t k = 0; k < others.size(); ++k) {
            const auto again = others[k].optimum(flops, factor);
            sizes.push_back(again.parameters), tokens.push_back(again.tokens);
            losses.push_back(surface.replicates[k](again.parameters, again.tokens));
        }
        const auto optimum = core.optimum(flops, factor);
        return Prediction{
            name, flops, summarize(optimum.parameters, std::move(sizes), surface.widening),
            summarize(optimum.tokens, std::move(tokens), surface.widening),
            summarize(surface.loss(optimum.parameters, optimum.tokens), std::move(losses), surface.widening)};
    };
}

void draw_form(const SurfaceForm& form, const Runs& runs, LawFit& fit) {
    const std::vector<double> residuals = log_residuals(runs.used, fit.surface->loss);
    fit.figures.push_back(surface_figure(form, runs, *fit.surface, fit.surface->widening));
    fit.figures.push_back(residual_figure(
        form, runs, residuals, "", {"training compute C (FLOPs)", Quantity::flops, true}, &Run::flops));
    if (form.name != joint_form.name) return;  // one picture says it of the others
    fit.figures.push_back(residual_figure(form, runs, residuals, "-parameters",
                                          {"parameters N", Quantity::parameters, true}, &Run::parameters));
    fit.figures.push_back(residual_figure(form, runs, residuals, "-tokens",
                                          {"tokens D", Quantity::tokens, true}, &Run::tokens));
}

}  // namespace

std::array<SurfaceForm, 3> surface_forms(const FitOptions& options) {
    return {options.equal_exponents ? one_exponent_form : joint_form, kaplan_form, rosenfeld_form};
}

std::optional<std::vector<double>> fit_quickly(const SurfaceForm& form, const std::vector<Run>& runs,
                                               FitOptions options) {
    options.bootstrap = 0;
    options.intervals = Intervals::bootstrap;
    if (runs.empty()) return std::nullopt;
    ParametricLaw law = form.law(runs);
    if (too_few_for_surface(runs, law.model.parameters)) return std::nullopt;
    std::vector<std::vector<double>> starts;
    const std::size_t stride = std::max<std::size_t>(1, law.starts.size() / 100);
    for (std::size_t s = 0; s < law.starts.size(); s += stride)
        starts.push_back(law.starts[s]);
    law.starts = std::move(starts);
    law.certify = false;
    const ParametricFit found = fit_parametric(law, options);
    if (found.refused) return std::nullopt;
    return found.values;
}

SurfaceFit fit_surface(const SurfaceForm& form, const Runs& all, const FitOptions& options) {
    SurfaceFit result;
    LawFit& fit = result.fit;
    ParametricFit& found = result.found;
    fit.name = form.name;
    fit.objective = to_string(options.objective);
    const Runs& runs = result.runs = well_tuned(all, options, fit.notes);
    ParametricLaw law = form.law(runs.used);
    if ((fit.refused = too_few_for_surface(runs.used, law.model.parameters))) return result;
    law.repeats = repeats_of(runs.used);
    found = fit_parametric(law, options);
    if (!tell_fit(found, fit)) return result;
    fit.derived = exponents_of_optima(form, found);
    if (fit.refused) return result;

    if (const double together = togetherness(runs.used); std::abs(together) > 0.98)
        fit.warnings.push_back({Refusal::not_separable,
                                "sizes and tokens moved nearly together (correlation of their logarithms " +
                                    format_significant(together, 3) +
                                    ") vary one while the other stays, lest the exponents trade places"});
    fit.surface = surface_of(form, found, runs.used);
    if (auto mixed = mixes_dense_and_sparse(runs.used)) fit.warnings.push_back(std::move(*mixed));
    tell_cost(runs.used, fit);
    if (auto missed = misses_the_best_run(runs.used, fit.surface->loss))
        fit.warnings.push_back(std::move(*missed));
    // Recommendations come from one law of loss, chosen by its held-out error (decide.hpp): the others only
    // show their surface.
    if (form.name == joint_form.name) fit.predict = optimum_of(form, found, *fit.surface);
    tell_validation(validate_form(form, runs.used, options),
                    {"flops", "fitted up to (FLOPs)", Quantity::flops}, "loss", fit);
    draw_form(form, runs, fit);
    return result;
}

}  // namespace isogrid::analysis
