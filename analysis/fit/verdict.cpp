#include "analysis/fit/verdict.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "analysis/fit/profile.hpp"
#include "analysis/fit/replicates.hpp"
#include "base/wording.hpp"

namespace isogrid::analysis {
namespace {

constexpr double agreement = 1e-5;             ///< relative difference of objectives that count as one
constexpr double nearly = 1e-2;                ///< relative difference of objectives that count as nearly one
constexpr double inseparable = 0.98;           ///< correlation
constexpr std::size_t independent_starts = 8;  ///< drawn before the optimum is left uncertified

/// The objective above which a minimum is no longer as low as the `best` one. Residuals of 1e-8 are rounding:
/// runs without noise do not tell minima apart.
double as_low_as(double best, const ParametricLaw& law, const FitOptions& options) {
    return best * (1 + agreement) +
           static_cast<double>(law.model.observations) * options.objective.penalty(1e-8);
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
            sensible = sensible && (law.parameters[p].soft || law.parameters[p].allows(values[p]));
            where += (p ? ", " : "") + law.parameters[p].name + " " + base::rounded(values[p]);
        }
        if (!differs || !sensible) continue;
        fit.warnings.push_back({Refusal::several_optima,
                                "another local optimum is only " +
                                    base::rounded(100 * (other.value / best - 1)) + "% higher, at " + where +
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
        fit.warnings.push_back({Refusal::not_separable,
                                law.parameters[a].name + " and " + law.parameters[b].name +
                                    " cannot be told apart (they go together with correlation " +
                                    base::rounded(together) + ") vary what they depend on independently"});
    }
}

/// Where seeds were to be drawn again: that they could not be, or which runs have no other seed.
void tell_seeds(const ParametricLaw& law, ParametricFit& fit) {
    const std::size_t repeats = repeats_beyond_first(law);
    if (!can_draw_seeds(law)) {
        fit.warnings.push_back(
            {Refusal::too_few_runs,
             law.repeats.empty()
                 ? "this law cannot draw seeds again (its points are not single runs, and its intervals draw "
                   "whole points) use --resample cases or residuals"
             : repeats == 0
                 ? "no two runs differ by their seed alone (so there are no seeds to draw again, and "
                   "the intervals draw whole runs) repeat some runs with other seeds"
                 : std::to_string(repeats) + (repeats == 1 ? " run repeats another" : " runs repeat others") +
                       " with another seed (3 are needed to know how far seeds move a loss, and the "
                       "intervals draw whole runs) repeat more runs with other seeds"});
        return;
    }
    std::map<std::size_t, std::size_t> sizes;
    for (const std::size_t set : law.repeats)
        ++sizes[set];
    const auto alone = std::count_if(sizes.begin(), sizes.end(), [](const auto& s) { return s.second == 1; });
    if (alone > 0)
        fit.notes.push_back(std::to_string(alone) + " of " + std::to_string(law.repeats.size()) +
                            " runs have no other seed: in the intervals they move by differences of those "
                            "that were repeated");
}

}  // namespace

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
        if (!parameter.soft && !parameter.allows(fit.values[p]))
            return Reason{Refusal::on_bound,
                          parameter.name + " ended at " + base::rounded(fit.values[p]) + " (outside " +
                              base::rounded(parameter.low) + " to " + base::rounded(parameter.high) +
                              ": the runs do not show this law) vary what it depends on over "
                              "more decades"};
    }
    if (const double condition = condition_number(law.model, best.at); !(condition < 1e7))
        return Reason{Refusal::ill_conditioned, "the parameters cannot be told apart (condition number " +
                                                    base::rounded(condition) +
                                                    ") vary the runs more independently"};
    return std::nullopt;
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
    if (options.resampling == Resampling::seeds && options.bootstrap > 0) tell_seeds(law, fit);
    for (std::size_t p = 0; p < law.parameters.size(); ++p) {
        const ReportedParameter& parameter = law.parameters[p];
        const Estimate& estimate = fit.parameters[p].estimate;
        if (!parameter.soft || parameter.allows(estimate.value)) continue;
        if (parameter.floor && estimate.value >= parameter.high)
            fit.warnings.push_back(
                {Refusal::on_bound,
                 parameter.name + " is " + base::rounded(estimate.value, 5) +
                     ", not below the lowest loss, " + base::rounded(parameter.high, 5) +
                     " (a run goes below the law's floor, so it does not describe the best runs) do not "
                     "extrapolate it; leave out runs far from the best sizes, or use another law"});
        else
            fit.warnings.push_back(
                {Refusal::on_bound, parameter.name + " ended at its bound, " + base::rounded(estimate.value) +
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

}  // namespace isogrid::analysis
