#include "analysis/fit/parametric.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>

namespace isogrid::analysis {
namespace {

constexpr double agreement = 1e-5;           ///< relative difference of objectives that count as one
constexpr std::size_t replicate_starts = 3;  ///< optima from which each replicate is fitted

std::string digits(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.3g", value);
    return text.data();
}

bool inside(const ReportedParameter& parameter, double value) {
    return value > parameter.low && value < parameter.high;
}

/// The model after `offset` was added to each residual: other observations, the same law.
ResidualModel shifted(const ResidualModel& model, std::vector<double> offset) {
    ResidualModel other = model;
    other.residual = [residual = model.residual, offset = std::move(offset)](
                         std::span<const double> at, std::size_t i, std::span<double> gradient) {
        return residual(at, i, gradient) + offset[i];
    };
    return other;
}

/// Each observation's draws within the set of its repeats.
std::vector<double> resample_repeats(const std::vector<std::size_t>& repeats, Random& random) {
    std::map<std::size_t, std::vector<std::size_t>> sets;
    for (std::size_t i = 0; i < repeats.size(); ++i)
        sets[repeats[i]].push_back(i);
    std::vector<double> times(repeats.size(), 0.0);
    for (const auto& [set, members] : sets)
        for (std::size_t draw = 0; draw < members.size(); ++draw)
            times[members[random.below(members.size())]] += 1;
    return times;
}

/// One replicate's minimum: of resampled cases, residuals or seeds.
std::vector<Minimum> refit(const ParametricLaw& law, const FitOptions& options, const Minimum& best,
                           const std::vector<std::vector<double>>& starts, Random& random) {
    const std::size_t count = law.model.observations;
    if (options.resampling == Resampling::residuals) {
        std::vector<double> residuals(count);
        for (std::size_t i = 0; i < count; ++i)
            residuals[i] = law.model.residual(best.at, i, {});
        std::vector<double> offset(count);
        for (std::size_t i = 0; i < count; ++i)
            offset[i] = residuals[random.below(count)] - residuals[i];
        return minimize_from_many(shifted(law.model, std::move(offset)), options.objective, law.weights,
                                  starts, starts.size());
    }
    std::vector<double> times = options.resampling == Resampling::seeds && !law.repeats.empty()
                                    ? resample_repeats(law.repeats, random)
                                    : resample(count, random);
    for (std::size_t i = 0; i < law.weights.size(); ++i)
        times[i] *= law.weights[i];
    return minimize_from_many(law.model, options.objective, times, starts, starts.size());
}

/// Where replicates start: the few best distinct optima. Where a second one is nearly as good, resampling may
/// well prefer it, and that belongs into the interval.
std::vector<std::vector<double>> distinct_optima(const std::vector<Minimum>& minima) {
    std::vector<std::vector<double>> optima;
    double last = 0;
    for (const Minimum& minimum : minima) {
        if (optima.size() == replicate_starts || minimum.value > 2 * minima.front().value) break;
        if (!optima.empty() && !(minimum.value > last * (1 + 1e-3))) continue;
        optima.push_back(minimum.at);
        last = minimum.value;
    }
    return optima;
}

std::optional<Reason> refuse(const ParametricLaw& law, const ParametricFit& fit) {
    const Minimum& best = fit.minima.front();
    if (!best.converged)
        return Reason{
            Refusal::not_converged,
            "the optimizer was still descending when it ran out of restarts (the objective has no minimum "
            "within reach) add runs, or use another --objective"};
    if (!best.moved && best.value > 0)
        return Reason{Refusal::did_not_move,
                      "the optimizer ended at its start (no descent direction was found) check the runs"};
    for (std::size_t p = 0; p < law.parameters.size(); ++p) {
        const ReportedParameter& parameter = law.parameters[p];
        if (!parameter.soft && !inside(parameter, fit.values[p]))
            return Reason{Refusal::on_bound,
                          parameter.name + " ended at " + digits(fit.values[p]) + " (outside " +
                              digits(parameter.low) + " to " + digits(parameter.high) +
                              ": the runs do not show this law) vary what it depends on over "
                              "more decades"};
    }
    if (const double condition = condition_number(law.model, best.at); !(condition < 1e7))
        return Reason{Refusal::ill_conditioned, "the parameters cannot be told apart (condition number " +
                                                    digits(condition) + ") vary the runs more independently"};
    return std::nullopt;
}

void warn(const ParametricLaw& law, const FitOptions& options, ParametricFit& fit) {
    const double best = fit.minima.front().value;
    const auto agreeing = std::count_if(fit.minima.begin(), fit.minima.end(), [&](const Minimum& minimum) {
        return minimum.value <= best * (1 + agreement) + 1e-300;
    });
    fit.notes.push_back(std::to_string(agreeing) + " of " + std::to_string(fit.minima.size()) +
                        " minimized starts reach the lowest objective");
    if (agreeing < 2)
        fit.warnings.push_back(
            {Refusal::few_starts,
             "only one start reaches the lowest objective (another grid might find a lower one) "
             "read the parameters with care"});
    for (std::size_t p = 0; p < law.parameters.size(); ++p) {
        const ReportedParameter& parameter = law.parameters[p];
        const Estimate& estimate = fit.parameters[p].estimate;
        if (parameter.soft && !inside(parameter, estimate.value))
            fit.warnings.push_back(
                {Refusal::on_bound, parameter.name + " ended at its bound, " + digits(estimate.value) +
                                        " (the runs do not come near enough to show it) do not "
                                        "extrapolate far beyond them"});
    }
    if (fit.replicates.size() >= options.bootstrap) return;
    const std::size_t lost = options.bootstrap - fit.replicates.size();
    const std::string share = std::to_string(lost) + " of " + std::to_string(options.bootstrap) +
                              " resamples give no acceptable law";
    if (lost * 20 > options.bootstrap)
        fit.warnings.push_back({Refusal::ill_conditioned, share +
                                                              " (it hangs on a few runs; the intervals leave "
                                                              "those resamples out) add runs"});
    else
        fit.notes.push_back(share + "; the intervals leave them out");
}

}  // namespace

ParametricFit fit_parametric(const ParametricLaw& law, const FitOptions& options) {
    ParametricFit fit;
    fit.minima =
        minimize_from_many(law.model, options.objective, law.weights, law.starts, law.minimized_starts);
    if (fit.minima.empty()) {
        fit.refused =
            Reason{Refusal::not_converged,
                   "no start gives a finite objective (losses or counts are out of range) check the runs"};
        return fit;
    }
    const Minimum& best = fit.minima.front();
    fit.values = law.report(best.at);
    fit.widening = small_sample_widening(law.model.observations, law.model.parameters);
    const auto starts = distinct_optima(fit.minima);
    fit.replicates =
        bootstrap(options.bootstrap, options.seed, [&](Random& random) -> std::optional<std::vector<double>> {
            const auto minima = refit(law, options, best, starts, random);
            if (minima.empty()) return std::nullopt;
            std::vector<double> values = law.report(minima.front().at);
            for (std::size_t p = 0; p < values.size(); ++p)  // what would be refused counts as no fit
                if (!law.parameters[p].soft && !inside(law.parameters[p], values[p])) return std::nullopt;
            return values;
        });
    for (std::size_t p = 0; p < law.parameters.size(); ++p)
        fit.parameters.push_back(
            {law.parameters[p].name, summarize(fit.values[p], fit.replicates, p, fit.widening)});
    fit.refused = refuse(law, fit);
    if (!fit.refused) warn(law, options, fit);
    return fit;
}

Parameter derived(const ParametricFit& fit, const std::string& name,
                  const std::function<double(std::span<const double> values)>& of) {
    std::vector<double> spread;
    for (const auto& replicate : fit.replicates)
        spread.push_back(of(replicate));
    return {name, summarize(of(fit.values), std::move(spread), fit.widening)};
}

}  // namespace isogrid::analysis
