#include "analysis/fit/parametric.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <set>

#include "analysis/fit/descent.hpp"
#include "analysis/fit/profile.hpp"

namespace isogrid::analysis {
namespace {

constexpr double agreement = 1e-5;             ///< relative difference of objectives that count as one
constexpr double nearly = 1e-2;                ///< relative difference of objectives that count as nearly one
constexpr double inseparable = 0.98;           ///< correlation
constexpr std::size_t replicate_starts = 3;    ///< optima from which each replicate is fitted
constexpr std::size_t independent_starts = 8;  ///< drawn before the optimum is left uncertified

std::string digits(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.3g", value);
    return text.data();
}

/// The objective above which a minimum is no longer as low as the `best` one. Residuals of 1e-8 are rounding:
/// runs without noise do not tell minima apart.
double as_low_as(double best, const ParametricLaw& law, const FitOptions& options) {
    return best * (1 + agreement) +
           static_cast<double>(law.model.observations) * options.objective.penalty(1e-8);
}

bool inside(const ReportedParameter& parameter, double value) {
    return value > parameter.low && value < parameter.high;
}

/// The model after `offset` was added to each residual: other observations, the same law.
ResidualModel shifted(const ResidualModel& model, std::vector<double> offset) {
    ResidualModel other = model;
    if (model.all)
        other.all = [all = model.all, offset](std::span<const double> at, std::span<double> residuals,
                                              std::span<double> gradients) {
            all(at, residuals, gradients);
            for (std::size_t i = 0; i < offset.size(); ++i)
                residuals[i] += offset[i];
        };
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

/// Whether there are runs that differ by their seed alone.
bool has_repeats(const ParametricLaw& law) {
    return std::set<std::size_t>(law.repeats.begin(), law.repeats.end()).size() < law.repeats.size();
}

/// The lowest end of descents from `starts`.
std::optional<Minimum> lowest(const ResidualModel& model, const Objective& objective,
                              std::span<const double> weights,
                              const std::vector<std::vector<double>>& starts) {
    Descent descent(model, objective, weights);
    std::optional<Minimum> best;
    for (const auto& start : starts)
        if (Minimum end = descent(start); std::isfinite(end.value) && (!best || end.value < best->value))
            best = std::move(end);
    if (best && !best->converged) best = minimize(model, objective, weights, best->at);
    return best;
}

/// One replicate's minimum: of resampled cases, residuals or seeds.
std::optional<Minimum> refit(const ParametricLaw& law, const FitOptions& options, const Minimum& best,
                             const std::vector<std::vector<double>>& starts, Random& random) {
    const std::size_t count = law.model.observations;
    if (options.resampling == Resampling::residuals) {
        std::vector<double> residuals(count);
        for (std::size_t i = 0; i < count; ++i)
            residuals[i] = law.model.residual(best.at, i, {});
        std::vector<double> offset(count);
        for (std::size_t i = 0; i < count; ++i)
            offset[i] = residuals[random.below(count)] - residuals[i];
        return lowest(shifted(law.model, std::move(offset)), options.objective, law.weights, starts);
    }
    std::vector<double> times = options.resampling == Resampling::seeds && has_repeats(law)
                                    ? resample_repeats(law.repeats, random)
                                    : resample(count, random);
    for (std::size_t i = 0; i < law.weights.size(); ++i)
        times[i] *= law.weights[i];
    return lowest(law.model, options.objective, times, starts);
}

/// Resampling within sets of repeats, about each set's mean, knows as many degrees of freedom as there are
/// repeats beyond the first.
double widening_of(const ParametricLaw& law, const FitOptions& options) {
    if (options.resampling == Resampling::residuals)
        return residual_widening(law.model.observations, law.model.parameters);
    if (options.resampling == Resampling::cases || !has_repeats(law))
        return case_widening(law.model.observations, law.model.parameters);
    std::map<std::size_t, std::size_t> sizes;
    for (const std::size_t set : law.repeats)
        ++sizes[set];
    std::size_t repeated = 0, sets = 0;
    for (const auto& [set, size] : sizes)
        if (size > 1) repeated += size, ++sets;
    return residual_widening(repeated, sets);
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

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
    const auto count = static_cast<double>(x.size());
    double mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
        mean_x += x[i] / count, mean_y += y[i] / count;
    for (std::size_t i = 0; i < x.size(); ++i) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        yy += (y[i] - mean_y) * (y[i] - mean_y);
        xy += (x[i] - mean_x) * (y[i] - mean_y);
    }
    return xy / std::sqrt(xx * yy);
}

/// Whether BFGS alone, from points drawn in the box of the starts, comes to the lowest of `minima` too. What
/// it finds lower joins them.
bool certify(const ParametricLaw& law, const FitOptions& options, std::vector<Minimum>& minima) {
    Random random(options.seed,
                  std::numeric_limits<std::uint64_t>::max());  // replicates see the first streams
    for (std::size_t k = 0; k < independent_starts; ++k) {
        std::vector<double> start;
        for (std::size_t p = 0; p < law.model.parameters; ++p) {
            double low = law.starts.front()[p], high = low;
            for (const auto& other : law.starts)
                low = std::min(low, other[p]), high = std::max(high, other[p]);
            if (low == high) low -= 0.5, high += 0.5;
            start.push_back(low + (high - low) * static_cast<double>(random.below(1 << 20)) / (1 << 20));
        }
        Minimum end = minimize_by_bfgs(law.model, options.objective, law.weights, std::move(start));
        if (!std::isfinite(end.value)) continue;
        const double best = minima.front().value;
        if (best > as_low_as(end.value, law, options))
            minima.insert(minima.begin(), std::move(end));
        else if (end.value <= as_low_as(best, law, options))
            return true;
    }
    return false;
}

std::optional<Reason> refuse(const ParametricLaw& law, const FitOptions& options, const ParametricFit& fit) {
    const Minimum& best = fit.minima.front();
    if (!best.converged)
        return Reason{
            Refusal::not_converged,
            "the optimizer was still descending when it ran out of restarts (the objective has no minimum "
            "within reach) add runs, or use another --objective"};
    const bool reached = std::any_of(fit.minima.begin(), fit.minima.end(), [&](const Minimum& minimum) {
        return minimum.moved && minimum.value <= as_low_as(best.value, law, options);
    });
    if (!reached && best.value > 0)
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

/// Another local optimum, nearly as good, with parameters that differ by more than their errors.
void warn_of_other_optima(const ParametricLaw& law, const FitOptions& options, ParametricFit& fit) {
    const double best = fit.minima.front().value;
    for (const Minimum& minimum : fit.minima) {
        if (minimum.value > best * (1 + nearly)) return;
        if (minimum.value <= as_low_as(best, law, options)) continue;
        const Minimum other = minimize(law.model, options.objective, law.weights, minimum.at);
        if (!other.converged || other.value <= as_low_as(best, law, options)) continue;
        const std::vector<double> values = law.report(other.at);
        bool differs = false, sensible = true;
        std::string where;
        for (std::size_t p = 0; p < values.size(); ++p) {
            const Estimate& estimate = fit.parameters[p].estimate;
            const double error = std::isfinite(estimate.se) ? estimate.se : 0.05 * std::abs(estimate.value);
            differs = differs || std::abs(values[p] - estimate.value) > error;
            sensible = sensible && (law.parameters[p].soft || inside(law.parameters[p], values[p]));
            where += (p ? ", " : "") + law.parameters[p].name + " " + digits(values[p]);
        }
        if (!differs || !sensible) continue;
        fit.warnings.push_back(
            {Refusal::several_optima, "another local optimum is only " +
                                          digits(100 * (other.value / best - 1)) + "% higher, at " + where +
                                          " (the runs hardly prefer one) add runs that tell them "
                                          "apart"});
        return;
    }
}

/// A positive parameter whose replicates, or whose profile, go on without end.
void warn_of_unlimited(const ParametricLaw& law, ParametricFit& fit) {
    for (std::size_t p = 0; p < law.parameters.size(); ++p) {
        const Estimate& estimate = fit.parameters[p].estimate;
        const bool far = estimate.value > 0 && estimate.high > 1000 * estimate.value;
        if (!far && !std::isinf(estimate.high) && !std::isinf(estimate.low)) continue;
        fit.warnings.push_back(
            {Refusal::unbounded,
             law.parameters[p].name + " has no " + (far || std::isinf(estimate.high) ? "upper" : "lower") +
                 " limit that these runs could show (the objective hardly rises along it) read "
                 "that end of its interval as open"});
    }
}

void warn_of_rivals(const ParametricLaw& law, ParametricFit& fit) {
    for (const auto& [a, b] : law.rivals) {
        std::vector<double> left, right;
        for (const auto& replicate : fit.replicates)
            left.push_back(replicate[a]), right.push_back(replicate[b]);
        const double together = left.size() < 20 ? linear_correlation(law, fit.minima.front().at, a, b)
                                                 : correlation(left, right);
        if (!(std::abs(together) > inseparable)) continue;
        fit.warnings.push_back(
            {Refusal::not_separable, law.parameters[a].name + " and " + law.parameters[b].name +
                                         " cannot be told apart (they go together with correlation " +
                                         digits(together) + ") vary what they depend on independently"});
    }
}

void warn(const ParametricLaw& law, const FitOptions& options, bool certified, ParametricFit& fit) {
    const double best = fit.minima.front().value;
    const auto agreeing = std::count_if(fit.minima.begin(), fit.minima.end(), [&](const Minimum& minimum) {
        return minimum.value <= as_low_as(best, law, options);
    });
    fit.notes.push_back(std::to_string(agreeing) + " of " + std::to_string(fit.minima.size()) +
                        " minimized starts reach the lowest objective");
    if (agreeing < 2 && !certified)
        fit.warnings.push_back(
            {Refusal::few_starts,
             "only one start reaches the lowest objective (another grid might find a lower one) "
             "read the parameters with care"});
    if (certified)
        fit.notes.push_back(
            "optimum certified by an independent start: BFGS from a point drawn apart from the grid "
            "comes to the same objective");
    else if (law.certify)
        fit.warnings.push_back(
            {Refusal::few_starts,
             "none of " + std::to_string(independent_starts) +
                 " starts drawn apart from the grid comes to the lowest objective (it is hard to "
                 "find, and there may be a lower one) read the parameters with care"});
    warn_of_other_optima(law, options, fit);
    warn_of_unlimited(law, fit);
    warn_of_rivals(law, fit);
    if (options.resampling == Resampling::seeds && options.bootstrap > 0 && !has_repeats(law))
        fit.warnings.push_back(
            {Refusal::too_few_runs,
             "no two runs differ by their seed alone (so there are no seeds to draw again, and "
             "the intervals draw whole runs) repeat some runs with other seeds"});
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
    const bool certified = law.certify && certify(law, options, fit.minima);
    const Minimum& best = fit.minima.front();
    fit.values = law.report(best.at);
    fit.widening = widening_of(law, options);
    const auto starts = distinct_optima(fit.minima);
    fit.replicates =
        bootstrap(options.bootstrap, options.seed, [&](Random& random) -> std::optional<std::vector<double>> {
            const auto minimum = refit(law, options, best, starts, random);
            if (!minimum) return std::nullopt;
            std::vector<double> values = law.report(minimum->at);
            for (std::size_t p = 0; p < values.size(); ++p)  // what would be refused counts as no fit
                if (!law.parameters[p].soft && !inside(law.parameters[p], values[p])) return std::nullopt;
            return values;
        });
    const bool profile =
        options.intervals == Intervals::profile && options.objective.kind == ObjectiveKind::l2;
    for (std::size_t p = 0; p < law.parameters.size(); ++p)
        fit.parameters.push_back(
            {law.parameters[p].name, profile ? profile_interval(law, best.at, p)
                                             : summarize(fit.values[p], fit.replicates, p, fit.widening)});
    if (profile)
        fit.notes.push_back(
            "errors and intervals of its parameters are those of the sum of squares' profile");
    fit.refused = refuse(law, options, fit);
    if (!fit.refused) warn(law, options, certified, fit);
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
