#include "analysis/laws/surface_form.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "analysis/laws/surface_figures.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

std::size_t distinct(const std::vector<Run>& runs, double Run::*count) {
    std::set<double> values;
    for (const Run& run : runs)
        values.insert(run.*count);
    return values.size();
}

/// Correlation of log N and log D.
double togetherness(const std::vector<Run>& runs) {
    const auto count = static_cast<double>(runs.size());
    double n = 0, d = 0, nn = 0, dd = 0, nd = 0;
    for (const Run& run : runs)
        n += std::log(run.parameters) / count, d += std::log(run.tokens) / count;
    for (const Run& run : runs) {
        const double x = std::log(run.parameters) - n, y = std::log(run.tokens) - d;
        nn += x * x, dd += y * y, nd += x * y;
    }
    return nd / std::sqrt(nn * dd);
}

std::optional<Reason> too_few(const std::vector<Run>& runs, std::size_t parameters) {
    const std::size_t fewest_runs = parameters + 3, fewest_sizes = 3;
    const std::string count = std::to_string(runs.size()) + " runs";
    if (runs.size() < fewest_runs)
        return Reason{Refusal::too_few_runs, count + " (" + std::to_string(fewest_runs) + " are needed for " +
                                                 std::to_string(parameters) + " parameters) run more trials"};
    const std::size_t sizes = distinct(runs, &Run::parameters), tokens = distinct(runs, &Run::tokens);
    if (sizes < fewest_sizes || tokens < fewest_sizes)
        return Reason{
            Refusal::too_few_runs,
            count + " of " + std::to_string(sizes) + " sizes and " + std::to_string(tokens) +
                " token counts (3 of each are needed to see an exponent and a floor) vary both more"};
    if (const double together = togetherness(runs); std::abs(together) > 0.9995)
        return Reason{Refusal::not_separable,
                      "sizes and tokens moved together (correlation of their logarithms " +
                          format_significant(together, 5) +
                          ", so no run tells the exponents apart) vary one while the other stays"};
    return std::nullopt;
}

/// Each run's compute, coarse enough for a handful of cuts: budgets where there are few, else the upper edges
/// of equal steps in log C.
std::vector<double> validation_scale(const std::vector<Run>& runs) {
    constexpr std::size_t most = 10;
    std::vector<double> scale;
    for (const Run& run : runs)
        scale.push_back(run.flops);
    double low = scale.front(), high = low;
    for (const double c : scale)
        low = std::min(low, c), high = std::max(high, c);
    std::set<long> different;
    for (const double c : scale)
        different.insert(std::lround(std::log(c) * 1000));
    if (different.size() <= most) return scale;
    const double step = std::log(high / low) / most;
    std::map<int, double> edges;
    const auto bin = [&](double c) {
        return std::min(static_cast<int>(std::log(c / low) / step), int{most} - 1);
    };
    for (const double c : scale)
        edges[bin(c)] = std::max(edges[bin(c)], c);
    for (double& c : scale)
        c = edges[bin(c)];
    return scale;
}

std::vector<Cut> validate(const SurfaceForm& form, const std::vector<Run>& runs, FitOptions options) {
    options.bootstrap = 0;
    options.intervals = Intervals::bootstrap;
    std::vector<double> observed;
    for (const Run& run : runs)
        observed.push_back(run.loss);
    const std::size_t parameters = form.law(runs).model.parameters;
    return expanding_window(
        validation_scale(runs), observed, parameters + 3,
        [&](std::span<const std::size_t> fitted) -> std::optional<Predictor> {
            std::vector<Run> some;
            for (const std::size_t i : fitted)
                some.push_back(runs[i]);
            if (too_few(some, parameters)) return std::nullopt;
            ParametricLaw law = form.law(some);
            std::vector<std::vector<double>> starts;  // spread over the grid; certifying is for the whole fit
            const std::size_t stride = std::max<std::size_t>(1, law.starts.size() / 100);
            for (std::size_t s = 0; s < law.starts.size(); s += stride)
                starts.push_back(law.starts[s]);
            law.starts = std::move(starts);
            law.certify = false;
            const ParametricFit found = fit_parametric(law, options);
            if (found.refused) return std::nullopt;
            return [&runs, &form, values = found.values](std::size_t i) {
                return form.loss(values, runs[i].parameters, runs[i].tokens);
            };
        });
}

}  // namespace

double flops_per_parameter_token(const std::vector<Run>& runs) {
    const double largest =
        std::max_element(runs.begin(), runs.end(), [](auto& a, auto& b) { return a.flops < b.flops; })->flops;
    std::vector<double> factors;
    for (const Run& run : runs)
        if (run.flops > 0.5 * largest) factors.push_back(run.flops / (run.parameters * run.tokens));
    return factors.empty() ? 6 : median(std::move(factors));  // nobody says what they cost
}

std::string assumed_cost(double flops_per_parameter_token) {
    return "the optimum at a budget assumes C = " + format_significant(flops_per_parameter_token, 4) +
           " N D, as at the largest budget";
}

double lowest_loss(const std::vector<Run>& runs) {
    double lowest = std::numeric_limits<double>::infinity();
    for (const Run& run : runs)
        lowest = std::min(lowest, run.loss);
    return lowest;
}

std::optional<Reason> misses_the_best_run(const std::vector<Run>& runs, const LossSurface::Loss& law) {
    constexpr double much = 0.03;  // of noise a lucky best run has less
    const Run& best =
        *std::min_element(runs.begin(), runs.end(), [](auto& a, auto& b) { return a.loss < b.loss; });
    const double expected = law(best.parameters, best.tokens), off = expected / best.loss - 1;
    if (!(std::abs(off) > much)) return std::nullopt;
    return Reason{Refusal::poor_prediction,
                  "of the run of lowest loss, " + best.name + ", it expects " +
                      format_quantity(expected, Quantity::loss) + ", " +
                      format_quantity(std::abs(off), Quantity::percent) + (off > 0 ? " more" : " less") +
                      " than the " + format_quantity(best.loss, Quantity::loss) +
                      " that it came to (the law follows other runs than the best) expect no less of its "
                      "errors beyond the runs; leave out runs far from the best sizes, or use another law"};
}

std::array<SurfaceForm, 3> surface_forms(const FitOptions& options) {
    return {options.equal_exponents ? one_exponent_form : joint_form, kaplan_form, rosenfeld_form};
}

std::vector<std::size_t> repeats_of(const std::vector<Run>& runs) {
    std::map<std::tuple<double, double, double, double, double, std::string>, std::size_t> sets;
    std::vector<std::size_t> repeats;
    for (const Run& run : runs)
        repeats.push_back(sets.try_emplace({run.parameters, run.tokens, run.flops, run.batch.value_or(0),
                                            run.learning_rate.value_or(0), run.family},
                                           sets.size())
                              .first->second);
    return repeats;
}

std::vector<double> log_residuals(const std::vector<Run>& runs, const LossSurface::Loss& law) {
    std::vector<double> residuals;
    for (const Run& run : runs)
        residuals.push_back(std::log(run.loss / law(run.parameters, run.tokens)));
    return residuals;
}

double deviance(const Objective& objective, std::span<const double> residuals) {
    const auto count = static_cast<double>(residuals.size());
    double squares = 0, sizes = 0, tilted = 0, inside = 0;
    for (const double r : residuals) {
        squares += r * r, sizes += std::abs(r);
        tilted += std::abs(r) * 2 * (r < 0 ? 1 - objective.quantile : objective.quantile);
        inside += std::abs(r) <= objective.delta ? 1 : 0;
    }
    switch (objective.kind) {
        case ObjectiveKind::l2:
            return count * std::log(squares / count);
        case ObjectiveKind::l1:
            return 2 * count * std::log(sizes / count);
        case ObjectiveKind::asymmetric:
            return 2 * count * std::log(tilted / count);
        case ObjectiveKind::huber:
            // The constants make a normal and a Laplace likelihood comparable.
            return inside > 0.5 * count ? count * std::log(squares / count)
                                        : 2 * count * std::log(sizes / count);
    }
    return 0;
}

double akaike(const Objective& objective, std::span<const double> residuals, std::size_t parameters) {
    return deviance(objective, residuals) + 2 * static_cast<double>(parameters + 1);
}

SurfaceFit fit_surface(const SurfaceForm& form, const Runs& runs, const FitOptions& options) {
    SurfaceFit result;
    LawFit& fit = result.fit;
    ParametricFit& found = result.found;
    fit.name = form.name;
    fit.objective = to_string(options.objective);
    ParametricLaw law = form.law(runs.used);
    if ((fit.refused = too_few(runs.used, law.model.parameters))) return result;
    law.repeats = repeats_of(runs.used);
    found = fit_parametric(law, options);
    fit.refused = found.refused;
    fit.warnings = found.warnings;
    fit.notes = found.notes;
    if (found.minima.empty()) return result;
    fit.objective_value = found.minima.front().value;
    fit.parameters = found.parameters;
    const auto exponent = [&form](double JointLaw::*of) {
        return [&form, of](std::span<const double> values) {
            const JointLaw core = form.core(values);
            return core.*of / (core.alpha + core.beta);
        };
    };
    fit.derived = {derived(found, "parameters_exponent", exponent(&JointLaw::beta)),
                   derived(found, "tokens_exponent", exponent(&JointLaw::alpha))};
    if (fit.refused) return result;

    if (const double together = togetherness(runs.used); std::abs(together) > 0.98)
        fit.warnings.push_back({Refusal::not_separable,
                                "sizes and tokens moved nearly together (correlation of their logarithms " +
                                    format_significant(together, 3) +
                                    ") vary one while the other stays, lest the exponents trade places"});
    const double factor = flops_per_parameter_token(runs.used);
    fit.notes.push_back(assumed_cost(factor));
    fit.surface.emplace();
    fit.surface->lowest_seen = lowest_loss(runs.used);
    const auto surface_of = [&form](std::vector<double> values) -> LossSurface::Loss {
        return [&form, values = std::move(values)](double N, double D) { return form.loss(values, N, D); };
    };
    fit.surface->loss = surface_of(found.values);
    if (auto missed = misses_the_best_run(runs.used, fit.surface->loss))
        fit.warnings.push_back(std::move(*missed));
    std::vector<JointLaw> others;
    for (const auto& replicate : found.replicates) {
        fit.surface->replicates.push_back(surface_of(replicate));
        others.push_back(form.core(replicate));
    }
    fit.surface->widening = found.widening;
    fit.surface->flops_per_parameter_token = factor;
    // Recommendations come from one law of loss, chosen by its held-out error (decide.hpp): the others only
    // show their surface.
    if (form.name == joint_form.name)
        fit.predict = [name = fit.name, surface = *fit.surface, core = form.core(found.values), factor,
                       others, widening = found.widening](double flops) {
            std::vector<double> sizes, tokens, losses;
            for (std::size_t k = 0; k < others.size(); ++k) {
                const auto again = others[k].optimum(flops, factor);
                sizes.push_back(again.parameters), tokens.push_back(again.tokens);
                losses.push_back(surface.replicates[k](again.parameters, again.tokens));
            }
            const auto optimum = core.optimum(flops, factor);
            return Prediction{
                name, flops, summarize(optimum.parameters, std::move(sizes), widening),
                summarize(optimum.tokens, std::move(tokens), widening),
                summarize(surface.loss(optimum.parameters, optimum.tokens), std::move(losses), widening)};
        };
    fit.tables.push_back(validation_table(validate(form, runs.used, options),
                                          {"flops", "fitted up to (FLOPs)", Quantity::flops}, "loss"));
    const std::vector<double> residuals = log_residuals(runs.used, fit.surface->loss);
    fit.figures.push_back(surface_figure(form, runs, *fit.surface, found.widening));
    fit.figures.push_back(residual_figure(
        form, runs, residuals, "", {"training compute C (FLOPs)", Quantity::flops, true}, &Run::flops));
    if (form.name != joint_form.name) return result;  // one picture says it of the others
    fit.figures.push_back(residual_figure(form, runs, residuals, "-parameters",
                                          {"parameters N", Quantity::parameters, true}, &Run::parameters));
    fit.figures.push_back(residual_figure(form, runs, residuals, "-tokens",
                                          {"tokens D", Quantity::tokens, true}, &Run::tokens));
    return result;
}

FormComparison compare_forms(const Runs& runs, const FitOptions& options) {
    FormComparison comparison;
    comparison.table = {"forms",
                        std::string("Forms of L(N, D)") +
                            (options.equal_exponents ? ", joint with alpha = beta" : "") +
                            ": fitted parameters, AIC above the lowest, error on runs held out",
                        {{"law", "law", Quantity::text},
                         {"parameters", "fitted", Quantity::number},
                         {"objective", "objective", Quantity::number},
                         {"aic", "AIC", Quantity::number},
                         {"held_out", "held out", Quantity::percent},
                         {"status", "status", Quantity::text}},
                        {}};
    FitOptions quick = options;
    quick.bootstrap = 0;
    quick.intervals = Intervals::bootstrap;
    double best = std::numeric_limits<double>::infinity(), lowest = best;
    for (const SurfaceForm& form : surface_forms(options)) {
        const ParametricLaw law = form.law(runs.used);
        const double nan = std::numeric_limits<double>::quiet_NaN();
        const auto row = [&](double objective, double aic, double error, const std::string& status) {
            comparison.table.rows.push_back({std::string(form.name),
                                             static_cast<double>(law.model.parameters), objective, aic, error,
                                             status});
        };
        if (const auto few = too_few(runs.used, law.model.parameters)) {
            row(nan, nan, nan, std::string(name(few->kind)));
            continue;
        }
        const ParametricFit found = fit_parametric(law, quick);
        if (found.refused) {
            row(found.minima.empty() ? nan : found.minima.front().value, nan, nan,
                std::string(name(found.refused->kind)));
            continue;
        }
        const double error = held_out_error(validate(form, runs.used, options));
        const double aic = akaike(
            options.objective,
            log_residuals(runs.used, [&](double N, double D) { return form.loss(found.values, N, D); }),
            law.model.parameters);
        row(found.minima.front().value, aic, error, "ok");
        lowest = std::min(lowest, aic);
        if (error < best) best = error, comparison.winner = form.name;
    }
    for (auto& row : comparison.table.rows)
        row[3] = std::get<double>(row[3]) - lowest;
    return comparison;
}

}  // namespace isogrid::analysis
