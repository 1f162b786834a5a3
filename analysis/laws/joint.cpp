// Approach 3 of Hoffmann et al. 2022: one law of size and data, fitted to every run at once.
#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "analysis/fit/parametric.hpp"
#include "analysis/laws/joint_model.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

std::size_t distinct(const std::vector<double>& values) {
    return std::set<double>(values.begin(), values.end()).size();
}

std::optional<Reason> too_few(const Runs& runs, const JointModel& data) {
    constexpr std::size_t fewest_runs = JointModel::parameters + 3, fewest_sizes = 3;
    const std::string count = std::to_string(runs.used.size()) + " runs";
    if (runs.used.size() < fewest_runs)
        return Reason{Refusal::too_few_runs, count + " (" + std::to_string(fewest_runs) +
                                                 " are needed for 5 parameters) run more trials"};
    if (distinct(data.log_n) < fewest_sizes || distinct(data.log_d) < fewest_sizes)
        return Reason{
            Refusal::too_few_runs,
            count + " of " + std::to_string(distinct(data.log_n)) + " sizes and " +
                std::to_string(distinct(data.log_d)) +
                " token counts (3 of each are needed to see an exponent and a floor) vary both more"};
    return std::nullopt;
}

/// FLOPs per parameter and token, C / (N D), at the largest budget: 6 under the approximation C = 6 N D.
double flops_per_parameter_token(const std::vector<Run>& runs) {
    const double largest =
        std::max_element(runs.begin(), runs.end(), [](auto& a, auto& b) { return a.flops < b.flops; })->flops;
    std::vector<double> factors;
    for (const Run& run : runs)
        if (run.flops > 0.5 * largest) factors.push_back(run.flops / (run.parameters * run.tokens));
    std::sort(factors.begin(), factors.end());
    return quantile(factors, 0.5);
}

Figure residual_figure(const Runs& runs, const JointLaw& law) {
    Figure figure{
        "joint-residuals",
        "What the joint law leaves unexplained",
        "Each run's measured loss against the law's, in percent. A trend along the axis, or budgets "
        "lying apart, would say that the law has the wrong form.",
        {"training compute C (FLOPs)", Quantity::flops, true},
        {"loss above the law (%)", Quantity::number, false},
        {}};
    Series zero{"", Mark::line, std::nullopt, 4, {}, {}, {}};
    double low = std::numeric_limits<double>::infinity(), high = 0, least = low, most = 0;
    for (const Run& run : runs.used) {
        low = std::min(low, run.flops), high = std::max(high, run.flops);
        least = std::min(least, run.parameters), most = std::max(most, run.parameters);
    }
    zero.x = {low / 1.3, high * 1.3}, zero.y = {0, 0};
    figure.series.push_back(zero);
    for (const Run& run : runs.used) {
        Series point{"", Mark::points, std::nullopt, 0, {run.flops}, {}, {}};
        point.shade = most > least ? std::log(run.parameters / least) / std::log(most / least) : 0.5;
        point.y = {100 * (run.loss / law.loss(run.parameters, run.tokens) - 1)};
        figure.series.push_back(std::move(point));
    }
    figure.caption += " Dark points are small models, light ones large.";
    return figure;
}

}  // namespace

double JointLaw::loss(double N, double D) const {
    return E + A * std::pow(N, -alpha) + B * std::pow(D, -beta);
}

JointLaw::Optimum JointLaw::optimum(double flops, double flops_per_parameter_token) const {
    const double product = flops / flops_per_parameter_token;
    // In logs: A and B are astronomical when a fit goes astray, and must not overflow.
    const double log_G = (std::log(alpha) + std::log(A) - std::log(beta) - std::log(B)) / (alpha + beta);
    Optimum best;
    best.parameters = std::exp(log_G + beta / (alpha + beta) * std::log(product));
    best.tokens = product / best.parameters;
    best.loss = loss(best.parameters, best.tokens);
    return best;
}

LawFit fit_joint(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "joint";
    fit.objective = to_string(options.objective);
    const JointModel data(runs.used);
    if ((fit.refused = too_few(runs, data))) return fit;

    const double lowest = std::exp(*std::min_element(data.log_loss.begin(), data.log_loss.end()));
    const ParametricFit found =
        fit_parametric({.model = data.model(),
                        .parameters = {{"E", 1e-3 * lowest, lowest, /*soft=*/true},
                                       {"A"},
                                       {"B"},
                                       {"alpha", 0.01, 3},
                                       {"beta", 0.01, 3}},
                        .report =
                            [&](std::span<const double> at) {
                                const JointLaw law = data.law(at);
                                return std::vector{law.E, law.A, law.B, law.alpha, law.beta};
                            },
                        .starts = data.starts(),
                        .minimized_starts = std::numeric_limits<std::size_t>::max()},
                       options);
    fit.refused = found.refused;
    fit.warnings = found.warnings;
    fit.notes = found.notes;
    if (found.minima.empty()) return fit;
    const auto law_of = [](std::span<const double> v) { return JointLaw{v[0], v[1], v[2], v[3], v[4]}; };
    const JointLaw law = law_of(found.values);
    fit.objective_value = found.minima.front().value;
    fit.parameters = found.parameters;
    fit.derived = {derived(found, "parameters_exponent", [](auto v) { return v[4] / (v[3] + v[4]); }),
                   derived(found, "tokens_exponent", [](auto v) { return v[3] / (v[3] + v[4]); })};
    if (fit.refused) return fit;

    for (const Parameter& parameter : fit.parameters)
        if (parameter.name != "A" && parameter.name != "B" &&
            parameter.estimate.se > parameter.estimate.value)
            fit.warnings.push_back(
                {Refusal::ill_conditioned,
                 parameter.name + " is " + format_significant(parameter.estimate.value, 3) +
                     " with a standard error of " + format_significant(parameter.estimate.se, 3) +
                     " (the runs hardly determine it) add budgets"});
    const double factor = flops_per_parameter_token(runs.used);
    fit.notes.push_back("the optimum at a budget assumes C = " + format_significant(factor, 4) +
                        " N D, as at the largest budget");
    fit.figures.push_back(residual_figure(runs, law));
    std::vector<JointLaw> others;
    for (const auto& replicate : found.replicates)
        others.push_back(law_of(replicate));
    fit.surface.emplace();
    fit.surface->loss = [law](double N, double D) { return law.loss(N, D); };
    for (const JointLaw& other : others)
        fit.surface->replicates.push_back([other](double N, double D) { return other.loss(N, D); });
    fit.surface->flops_per_parameter_token = factor;
    fit.predict = [law, factor, others, widening = found.widening](double flops) {
        std::vector<double> sizes, tokens, losses;
        for (const JointLaw& other : others) {
            const auto again = other.optimum(flops, factor);
            sizes.push_back(again.parameters), tokens.push_back(again.tokens), losses.push_back(again.loss);
        }
        const auto optimum = law.optimum(flops, factor);
        return Prediction{"joint", flops, summarize(optimum.parameters, std::move(sizes), widening),
                          summarize(optimum.tokens, std::move(tokens), widening),
                          summarize(optimum.loss, std::move(losses), widening)};
    };
    return fit;
}

}  // namespace isogrid::analysis
