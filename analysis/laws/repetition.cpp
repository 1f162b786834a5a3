// What data is worth when it is seen again, and parameters when there are more than the data can teach.
#include "analysis/laws/repetition.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "analysis/figures/numbers.hpp"
#include "analysis/fit/parametric.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/repetition_checks.hpp"
#include "analysis/laws/repetition_figures.hpp"
#include "analysis/laws/repetition_model.hpp"
#include "analysis/laws/repetition_optima.hpp"
#include "analysis/laws/surface_runs.hpp"

namespace isogrid::analysis {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double endless =
    50;  // times the most there is: D' (or N') then differs by less than 1% from no decay

/// Value and interval of a decay whose replicates may run away: such ends are infinite or zero, and said so.
Estimate decay_estimate(double value, const ParametricFit& fit, std::size_t index, double most) {
    const auto limited = [&](double v) { return v > most ? infinity : v; };
    Estimate estimate = summarize(value, fit.replicates, index, fit.widening);
    estimate.value = limited(value);
    if (fit.replicates.size() < 20) return estimate;
    std::vector<double> sorted;
    for (const auto& replicate : fit.replicates)
        sorted.push_back(limited(replicate[index]));
    std::sort(sorted.begin(), sorted.end());
    // The quantiles' places (bootstrap.hpp) from the outer neighbour, as between a number and infinity there
    // is nothing.
    const auto count = static_cast<double>(sorted.size());
    const auto place = [&](double at) { return static_cast<std::size_t>(std::clamp(at, 0.0, count - 1)); };
    // Widened in logarithms, as a decay is positive; an infinite end stays so.
    const auto widened = [&](double end) {
        const bool finite = std::isfinite(end) && std::isfinite(estimate.value) && end > 0;
        return finite ? estimate.value * std::pow(end / estimate.value, fit.widening) : end;
    };
    estimate.low = widened(sorted[place(std::floor(0.025 * (count + 1) - 1))]);
    estimate.high = widened(sorted[place(std::ceil(0.975 * (count + 1) - 1))]);
    if (!std::isfinite(estimate.high)) estimate.se = std::nan("");
    return estimate;
}

std::optional<Reason> too_few(const RepetitionModel& data) {
    std::set<double> epochs, sizes;
    std::size_t repeated = 0;
    for (const auto& row : data.rows) {
        const double times = std::exp(row.log_d - row.log_u);
        if (times > 1.001) ++repeated;
        epochs.insert(std::round(20 * std::log(times)));
        sizes.insert(row.log_n);
    }
    const std::size_t fewest = data.parameters() + 3;
    const std::string what = std::to_string(data.rows.size()) + " runs, " + std::to_string(repeated) +
                             " of them with repeated data, " + std::to_string(epochs.size()) +
                             " different numbers of epochs, " + std::to_string(sizes.size()) + " sizes";
    if (data.rows.size() < fewest || repeated < 4 || epochs.size() < 3 || sizes.size() < 2)
        return Reason{Refusal::too_few_runs,
                      what + " (" + std::to_string(fewest) +
                          " runs, 4 repeated, 3 numbers of epochs and 2 sizes are needed) repeat data more "
                          "often, or give the law of fresh data with --base"};
    return std::nullopt;
}

/// Whether what is left can be told apart once decays that ran to a limit are set aside.
bool separable(const RepetitionModel& data, std::span<const double> best) {
    std::vector<std::size_t> free;
    for (std::size_t p = 0; p < data.parameters(); ++p)
        if (p > RepetitionModel::log_rn || !RepetitionModel::limited(best[p])) free.push_back(p);
    if (free.empty()) return true;
    std::vector<double> begin;
    for (const std::size_t p : free)
        begin.push_back(best[p]);
    const ResidualModel rest{free.size(), data.rows.size(),
                             [&](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                                 std::vector<double> all(best.begin(), best.end()), slopes(best.size());
                                 for (std::size_t k = 0; k < free.size(); ++k)
                                     all[free[k]] = at[k];
                                 const double residual = data.residual(all, i, slopes);
                                 for (std::size_t k = 0; k < gradient.size(); ++k)
                                     gradient[k] = slopes[free[k]];
                                 return residual;
                             }};
    return condition_number(rest, begin) < 1e7;
}

void judge_decay(const char* name, const char* what, const Estimate& estimate, double most, LawFit& fit) {
    const std::string where = std::isfinite(estimate.value) ? " in the bootstrap" : "";
    if (!std::isfinite(estimate.value) || estimate.high == infinity)
        fit.warnings.push_back(
            {Refusal::unbounded, std::string(name) + " has no upper limit" + where + " (the runs, of up to " +
                                     format_significant(most, 3) + " " + what +
                                     ", fit as well without any decay) read only the lower end"});
    if (estimate.value < 1e-3)
        fit.warnings.push_back({Refusal::on_bound, std::string(name) + " ended at zero (repetitions of " +
                                                       what + " show no worth at all) check the runs"});
}

/// Where the replicates of a decay run away, its interval is open, and said to be.
void judge_decays(const RepetitionModel& data, const RepetitionLaw& law, const ParametricFit& found,
                  LawFit& fit) {
    const double most_epochs = data.most_epochs();
    double most_excess = 1;
    for (const auto& row : data.rows)
        most_excess = std::max(most_excess, std::exp(row.log_n) / law.optimal_size(std::exp(row.log_u)));
    fit.parameters[0].estimate = decay_estimate(found.values[0], found, 0, endless * most_epochs);
    fit.parameters[1].estimate = decay_estimate(found.values[1], found, 1, endless * most_excess);
    judge_decay("R_D*", "epochs", fit.parameters[0].estimate, most_epochs, fit);
    judge_decay("R_N*", "times the optimal size", fit.parameters[1].estimate, most_excess, fit);
}

/// R_D* of the law that is fitted to the runs which repetition has not harmed; not a number where they are
/// too few.
double decay_of_unharmed(const Harm& harm, const FitOptions& options) {
    const RepetitionModel data(harm.unharmed, options.base);
    if (too_few(data)) return std::nan("");
    const ParametricLaw form = parametric(data);
    const auto minima =
        minimize_from_many(form.model, options.objective, {}, form.starts, form.minimized_starts);
    if (minima.empty()) return std::nan("");
    const double decay = form.report(minima.front().at).front();
    return decay > endless * data.most_epochs() ? infinity : decay;
}

void warn_of_near_optima(const std::vector<RepetitionOptimum>& optima, LawFit& fit) {
    double near = 0;
    for (const RepetitionOptimum& optimum : optima)
        if (&optimum != &optima.front() && optimum.value < 1.01 * optima.front().value) ++near;
    if (near > 0)
        fit.warnings.push_back(
            {Refusal::several_optima,
             format_significant(near, 3) +
                 " other local optima come within 1% of the lowest objective (see the table of "
                 "optima) read the worth of epochs and its interval rather than R_D*"});
}

/// Fitted to few epochs, tried on more.
std::vector<Cut> validate(const RepetitionModel& data, const std::vector<Run>& runs,
                          const FitOptions& options) {
    std::vector<double> epochs, losses;
    for (std::size_t i = 0; i < data.rows.size(); ++i) {
        // In octaves: a fit for each number of epochs would take long and tell no more.
        const double octave = std::ceil((data.rows[i].log_d - data.rows[i].log_u) / std::log(2.0) - 1e-9);
        epochs.push_back(std::exp2(octave)), losses.push_back(runs[i].loss);
    }
    return expanding_window(
        epochs, losses, data.parameters() + 4,
        [&](std::span<const std::size_t> some) -> std::optional<Predictor> {
            std::vector<double> weights(data.rows.size(), 0.0);
            bool repeated = false;
            for (const std::size_t i : some)
                weights[i] = 1, repeated = repeated || epochs[i] > 1;
            if (!repeated) return std::nullopt;
            const auto minima = minimize_from_many(data.model(), options.objective, weights, starts(data), 6);
            if (minima.empty()) return std::nullopt;
            return [law = data.law(data.report(minima.front().at)), &runs](std::size_t i) {
                const Run& run = runs[i];
                return law.loss(run.parameters, run.tokens, run.unique_tokens.value_or(run.tokens));
            };
        });
}

}  // namespace

LawFit fit_repetition(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "repetition";
    fit.objective = to_string(options.objective);
    const RepetitionModel data(runs.used, options.base);
    if ((fit.refused = too_few(data))) return fit;
    ParametricLaw form = parametric(data);
    form.repeats = repeats_of(runs.used);
    FitOptions by_replicates = options;  // a decay may have no limit, which the replicates show
    by_replicates.intervals = Intervals::bootstrap;
    if (options.intervals == Intervals::profile)
        fit.notes.push_back(
            "--intervals profile has no effect: a decay may have no limit, and the intervals are those of "
            "replicates (--bootstrap), some of which run away with it");
    const ParametricFit found = fit_parametric(form, by_replicates);
    if (!tell_fit(found, fit)) return fit;
    if (fit.refused && fit.refused->kind == Refusal::ill_conditioned &&
        separable(data, found.minima.front().at))
        fit.refused.reset();  // a decay at its limit has no slope, and says so below
    const auto optima = local_optima(found.minima);
    if (!optima.empty()) fit.tables.push_back(optima_table(data, optima));
    if (fit.refused || optima.empty()) return fit;

    RepetitionLaws laws{data.law(found.values), {}, found.widening};
    for (const auto& replicate : found.replicates)
        laws.replicates.push_back(data.law(replicate));
    judge_decays(data, laws.law, found, fit);
    warn_of_near_optima(optima, fit);
    if (const Harm harm = harm_of_repetition(runs.used); !harm.runs.empty())
        fit.warnings.push_back(describe_harm(harm, laws.law, fit.parameters[0].estimate.value,
                                             decay_of_unharmed(harm, options)));
    const double size = laws.law.optimal_size(1e9);
    fit.notes.push_back("the optimal size for 1B different tokens is " + format_count(size, 3) +
                        "; parameters beyond it count less");
    fit.notes.push_back(options.base
                            ? "the law of fresh data is held as given with --base; its own error is in no "
                              "interval"
                            : "the law of fresh data is fitted together with the decays");
    std::vector<double> observed, predicted;
    for (const Run& run : runs.used) {
        observed.push_back(run.loss);
        predicted.push_back(
            laws.law.loss(run.parameters, run.tokens, run.unique_tokens.value_or(run.tokens)));
    }
    fit.derived.push_back({"R2", {explained(observed, predicted)}});

    fit.tables.push_back(worth_table(laws));
    fit.tables.push_back(frontier_table(laws, runs.used));
    const std::vector<Cut> cuts = validate(data, runs.used, options);
    tell_validation(cuts, {"epochs", "up to epochs", Quantity::number}, "loss", fit);
    if (auto missed = misses_more_epochs(cuts)) fit.warnings.push_back(std::move(*missed));
    fit.figures.push_back(worth_figure(laws, runs.used));
    fit.figures.push_back(curves_figure(laws, runs.used));
    fit.figures.push_back(profile_figure(
        data, profile(data, options, optima, std::max(1000.0, 3 * data.most_epochs())), optima));
    return fit;
}

}  // namespace isogrid::analysis
