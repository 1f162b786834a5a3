// From loss to the error on a task, and so from size and data to it.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "analysis/figures/numbers.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/downstream_chain.hpp"
#include "analysis/laws/downstream_forms.hpp"
#include "analysis/laws/joint.hpp"

namespace isogrid::analysis {
namespace {

constexpr std::size_t fewest = 6;  ///< runs, for the 3 parameters of the exponential form

/// Half decades of compute: a cut for each run would take long and tell no more.
std::vector<double> half_decades(const std::vector<Run>& runs) {
    std::vector<double> scale;
    for (const Run& run : runs)
        scale.push_back(std::pow(10.0, std::ceil(2 * std::log10(run.flops) - 1e-9) / 2));
    return scale;
}

/// Error from the measured loss of runs above the cut.
double held_out(const ErrorForm& form, const std::vector<Run>& runs, const ErrorPairs& pairs,
                const FitOptions& options) {
    const auto model = form.model(pairs);
    const auto starts = form.starts(pairs);
    return held_out_error(expanding_window(
        half_decades(runs), pairs.error, form.parameters.size() + 2,
        [&](std::span<const std::size_t> some) -> std::optional<Predictor> {
            std::vector<double> weights(runs.size(), 0.0);
            for (const std::size_t i : some)
                weights[i] = 1;
            const auto minima = minimize_from_many(model, options.objective, weights, starts, 6);
            if (minima.empty()) return std::nullopt;
            return [&, values = form.report(pairs, minima.front().at)](std::size_t i) {
                return form.error(values, pairs.loss[i]);
            };
        }));
}

using FitLaw = LawFit (*)(const Runs&, const FitOptions&);

/// The law of loss that the error is chained on: of joint and overtraining the one with the lower criterion
/// of Akaike; the second has a parameter less.
FitLaw loss_law(const Runs& runs, FitOptions options) {
    options.bootstrap = 0;
    const auto criterion = [&](FitLaw law, double parameters) {
        const LawFit fit = law(runs, options);
        if (fit.refused || !fit.surface) return std::numeric_limits<double>::infinity();
        double squares = 0;
        for (const Run& run : runs.used) {
            const double left = std::log(fit.surface->loss(run.parameters, run.tokens) / run.loss);
            squares += left * left;
        }
        const auto n = static_cast<double>(runs.used.size());
        return n * std::log(std::max(squares / n, 1e-16)) + 2 * parameters;
    };
    return criterion(fit_joint, 5) < criterion(fit_overtraining, 4) ? fit_joint : fit_overtraining;
}

/// Both forms beside each other. The sigmoid needs one parameter more; without a bootstrap it is only
/// compared.
void compare_forms(const ErrorForm& form, const ParametricFit& found, const ErrorPairs& pairs,
                   const std::vector<Run>& runs, const FitOptions& options, LawFit& fit) {
    const ErrorForm other = sigmoid_error();
    FitOptions point = options;
    point.bootstrap = 0;
    std::optional<ParametricFit> second;
    if (pairs.loss.size() >= fewest + 2) {
        second = fit_error_form(other, pairs, point);
        if (second->refused) second.reset();
    }
    Table forms{"forms",
                "How error may follow loss",
                {{"form", "form", Quantity::text},
                 {"equation", "error", Quantity::text},
                 {"parameters", "parameters", Quantity::number},
                 {"objective", "objective", Quantity::number},
                 {"aic", "AIC", Quantity::number},
                 {"held_out", "held out", Quantity::percent}},
                {}};
    const auto row = [&](const ErrorForm& of, const ParametricFit& by) {
        forms.rows.push_back({std::string(of.name), std::string(of.equation),
                              static_cast<double>(of.parameters.size()), by.minima.front().value,
                              akaike(of, pairs, by.values), held_out(of, runs, pairs, options)});
    };
    row(form, found);
    if (second) {
        row(other, *second);
        for (std::size_t p = 0; p < second->values.size(); ++p)
            fit.derived.push_back({"sigmoid_" + other.parameters[p].name, {second->values[p]}});
        const double better = akaike(form, pairs, found.values) - akaike(other, pairs, second->values);
        if (better > 4)
            fit.notes.push_back("the sigmoid describes these runs better (AIC lower by " +
                                format_significant(better, 3) +
                                "): the task's error levels off below, or begins to fall late");
    } else {
        fit.notes.push_back("the sigmoid was not fitted, or was refused: too few runs for its 4 parameters");
    }
    fit.tables.push_back(std::move(forms));
    fit.figures.push_back(
        error_figure(pairs, form, found, second ? &other : nullptr, second ? &*second : nullptr));
}

/// The chain on size and data, fitted to the runs of little compute and tried on those of more.
std::vector<Cut> validate_chain(const ErrorForm& form, FitLaw fit_loss, const ErrorPairs& pairs,
                                const std::vector<Run>& runs, FitOptions options) {
    options.bootstrap = 0;
    return expanding_window(
        half_decades(runs), pairs.error, 8,
        [&](std::span<const std::size_t> some) -> std::optional<Predictor> {
            Runs part;
            for (const std::size_t i : some)
                part.used.push_back(runs[i]);
            const auto below = std::make_shared<const ErrorPairs>(part.used);
            const auto minima =
                minimize_from_many(form.model(*below), options.objective, {}, form.starts(*below), 6);
            auto loss = std::make_shared<const LawFit>(fit_loss(part, options));
            if (minima.empty() || loss->refused || !loss->surface) return std::nullopt;
            return [&, loss, values = form.report(*below, minima.front().at)](std::size_t i) {
                return form.error(values, loss->surface->loss(runs[i].parameters, runs[i].tokens));
            };
        });
}

/// From size and data to the error, where a law of the loss stands.
void tell_chain(const ErrorForm& form, const ParametricFit& found, const ErrorPairs& pairs,
                const std::vector<Run>& with_error, const Runs& runs, const FitOptions& options,
                LawFit& fit) {
    const FitLaw fit_loss = loss_law(runs, options);
    ErrorChain chain{form, found.values, found.replicates, found.widening, fit_loss(runs, options)};
    if (chain.loss.refused || !chain.loss.surface) {
        fit.notes.push_back(
            "no chain from size and data to the error: the law of loss is refused (" +
            std::string(name(chain.loss.refused ? chain.loss.refused->kind : Refusal::missing_columns)) +
            ")");
        return;
    }
    chain.drawn_together = with_error.size() == runs.used.size() &&
                           chain.replicates.size() == options.bootstrap &&
                           chain.loss.surface->replicates.size() == options.bootstrap;
    fit.notes.push_back("chained on the law " + chain.loss.name +
                        (chain.drawn_together
                             ? " of the same runs; replicate k of both sees the same resampled runs"
                             : "; of the two laws' replicates each is drawn for itself, so that intervals "
                               "take their errors for independent"));
    double largest = 0;
    for (const Run& run : runs.used)
        largest = std::max(largest, run.flops);
    fit.tables.push_back(prediction_table(chain, largest));
    tell_validation(validate_chain(form, fit_loss, pairs, with_error, options),
                    {"flops", "compute", Quantity::flops}, "error from size and data alone", fit);
    fit.figures.push_back(chain_figure(chain, runs.used));
}

}  // namespace

LawFit fit_downstream(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "downstream";
    fit.objective = to_string(options.objective) + " of the error";
    const ErrorPairs pairs(runs.used);
    if (pairs.loss.size() < fewest || !(pairs.highest() > pairs.lowest())) {
        fit.refused =
            Reason{Refusal::too_few_runs, std::to_string(pairs.loss.size()) +
                                              " runs with an error on the task (" + std::to_string(fewest) +
                                              " that differ are needed for 3 parameters) evaluate more runs"};
        return fit;
    }
    const ErrorForm form = exponential_error();
    const ParametricFit found = fit_error_form(form, pairs, options);
    if (!tell_fit(found, fit) || fit.refused) return fit;
    if (found.values[1] * std::exp(-found.values[2] * pairs.mean) < 0.02 * found.values[0])
        fit.warnings.push_back(
            {Refusal::ill_conditioned, "the error hardly follows the loss (it stays near " +
                                           format_significant(found.values[0], 3) + ") take an easier task"});
    std::vector<Run> with_error;
    for (const Run& run : runs.used)
        if (run.error) with_error.push_back(run);
    compare_forms(form, found, pairs, with_error, options, fit);
    tell_chain(form, found, pairs, with_error, runs, options, fit);
    return fit;
}

}  // namespace isogrid::analysis
