// From loss to the error on a task, and so from size and data to it.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "analysis/figures/numbers.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/downstream_chain.hpp"
#include "analysis/laws/downstream_forms.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/laws/sweep.hpp"

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

/// Errors lie between 0 and 1: what a form says beyond counts as that end where it is held against a run.
double cut_off(double error) {
    return std::clamp(error, 0.0, 1.0);
}

/// Error from the measured loss of runs above the cut.
std::vector<Cut> held_out(const ErrorForm& form, const std::vector<Run>& runs, const ErrorPairs& pairs,
                          const FitOptions& options) {
    const auto model = form.model(pairs);
    const auto starts = form.starts(pairs);
    return expanding_window(half_decades(runs), pairs.error, fewest,
                            [&](std::span<const std::size_t> some) -> std::optional<Predictor> {
                                std::vector<double> weights(runs.size(), 0.0);
                                for (const std::size_t i : some)
                                    weights[i] = 1;
                                const auto minima =
                                    minimize_from_many(model, options.objective, weights, starts, 6);
                                if (minima.empty()) return std::nullopt;
                                return [&, values = form.report(pairs, minima.front().at)](std::size_t i) {
                                    return cut_off(form.error(values, pairs.loss[i]));
                                };
                            });
}

using FitLaw = LawFit (*)(const Runs&, const FitOptions&);

/// The law of loss that the error is chained on: of joint and overtraining the one with the lower criterion
/// of Akaike; the second has a parameter less.
FitLaw loss_law(const Runs& all, FitOptions options) {
    options.bootstrap = 0;
    std::vector<std::string> unsaid;
    const Runs runs = well_tuned(all, options, unsaid);  // what both are fitted to
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

/// A form, fitted without replicates, and how it does on runs held out.
struct TriedForm {
    ErrorForm form;
    ParametricFit found;
    double aic = std::numeric_limits<double>::quiet_NaN(), held_out = aic;
};

/// The forms that there are runs enough for, each on the same cuts; the published one first.
std::vector<TriedForm> try_forms(const ErrorPairs& pairs, const std::vector<Run>& runs, FitOptions options) {
    options.bootstrap = 0;
    std::vector<TriedForm> forms = {{exponential_error(), {}}};
    if (pairs.loss.size() >= fewest + 2) forms.push_back({sigmoid_error(), {}});
    std::vector<std::vector<Cut>> cuts;
    for (TriedForm& tried : forms) {
        tried.found = fit_error_form(tried.form, pairs, options);
        if (!tried.found.minima.empty())
            tried.aic = corrected_akaike(squares_of(tried.form, pairs, tried.found.values), pairs.loss.size(),
                                         tried.form.parameters.size());
        cuts.push_back(held_out(tried.form, runs, pairs, options));
    }
    const std::vector<double> errors = held_out_errors(cuts);
    for (std::size_t f = 0; f < forms.size(); ++f)
        forms[f].held_out = errors[f];
    return forms;
}

/// Whether a form is to be taken in the place of the one before it: where it describes the runs clearly
/// better (AIC lower by more than 4; Burnham and Anderson 2002, section 2.6) and those held out no worse. By
/// errors held out alone a form with a parameter more would be taken too often: of few runs they are mostly
/// noise.
bool better(const TriedForm& form, const TriedForm& than) {
    if (form.found.refused) return false;
    if (than.found.refused) return true;
    return form.aic < than.aic - 4 && !(form.held_out > than.held_out);
}

/// With replicates. A form without an upper limit to how steeply the error falls says nothing of losses below
/// those seen: it is refused.
ParametricFit fit_with_replicates(const ErrorForm& form, const ErrorPairs& pairs, const FitOptions& options) {
    ParametricFit found = fit_error_form(form, pairs, options);
    const auto open = std::find_if(found.warnings.begin(), found.warnings.end(),
                                   [](const Reason& warning) { return warning.kind == Refusal::unbounded; });
    if (!found.refused && open != found.warnings.end()) {
        found.refused = *open;
        found.warnings.erase(open);
    }
    return found;
}

/// The forms side by side; `chosen` is the one whose parameters and chain are told.
void tell_forms(const std::vector<TriedForm>& forms, std::size_t chosen, LawFit& fit) {
    Table table{"forms",
                "How error may follow loss",
                {{"form", "form", Quantity::text},
                 {"equation", "error", Quantity::text},
                 {"parameters", "parameters", Quantity::number},
                 {"objective", "objective", Quantity::number},
                 {"aic", "AIC", Quantity::number},
                 {"held_out", "held out", Quantity::percent}},
                {}};
    for (std::size_t f = 0; f < forms.size(); ++f) {
        const TriedForm& tried = forms[f];
        if (tried.found.refused && f != chosen) continue;
        table.rows.push_back({std::string(tried.form.name), std::string(tried.form.equation),
                              static_cast<double>(tried.form.parameters.size()),
                              tried.found.minima.front().value, tried.aic, tried.held_out});
        if (f == chosen) continue;
        for (std::size_t p = 0; p < tried.found.values.size(); ++p)
            fit.derived.push_back({std::string(tried.form.name) + "_" + tried.form.parameters[p].name,
                                   {tried.found.values[p]}});
    }
    fit.tables.push_back(std::move(table));
    const std::string name(forms[chosen].form.name);
    if (fit.tables.back().rows.size() < 2) {
        fit.notes.push_back("parameters and chain are those of the " + name +
                            " form alone: the other was refused, or has too few runs for its parameters");
        return;
    }
    const TriedForm& other = forms[1 - chosen];
    const auto said = [](const TriedForm& form) {
        return "AIC " + format_significant(form.aic, 4) +
               (std::isfinite(form.held_out)
                    ? ", off by " + format_quantity(form.held_out, Quantity::percent) + " on runs held out"
                    : "");
    };
    fit.notes.push_back("parameters and chain are those of the " + name + " form (" + said(forms[chosen]) +
                        "; the " + std::string(other.form.name) + ": " + said(other) + ")");
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
                return cut_off(form.error(values, loss->surface->loss(runs[i].parameters, runs[i].tokens)));
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
    // Laws of loss leave the badly tuned runs of sweeps out.
    std::vector<std::string> unsaid;
    const std::size_t of_loss = well_tuned(runs, options, unsaid).used.size();
    chain.drawn_together = with_error.size() == runs.used.size() && of_loss == runs.used.size() &&
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
    fit.tables.push_back(prediction_table(chain, largest, fit.warnings));
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
    std::vector<Run> with_error;
    for (const Run& run : runs.used)
        if (run.error) with_error.push_back(run);
    std::vector<TriedForm> forms = try_forms(pairs, with_error, options);
    std::size_t chosen = forms.size() > 1 && better(forms[1], forms[0]) ? 1 : 0;
    ParametricFit found = fit_with_replicates(forms[chosen].form, pairs, options);
    if (const std::size_t other = 1 - chosen;
        found.refused && other < forms.size() && !forms[other].found.refused) {
        ParametricFit instead = fit_with_replicates(forms[other].form, pairs, options);
        if (!instead.refused) {
            forms[chosen].found.refused = found.refused;
            fit.warnings.push_back({found.refused->kind, "the " + std::string(forms[chosen].form.name) +
                                                             " form: " + found.refused->text});
            chosen = other, found = std::move(instead);
        }
    }
    const ErrorForm& form = forms[chosen].form;
    if (!tell_fit(found, fit) || fit.refused) return fit;
    const double top = form.error(found.values, pairs.highest_loss());
    if (top - form.error(found.values, pairs.lowest_loss()) < 0.02 * top)
        fit.warnings.push_back(
            {Refusal::ill_conditioned, "the error hardly follows the loss (it stays near " +
                                           format_significant(top, 3) + ") take an easier task"});
    tell_forms(forms, chosen, fit);
    const TriedForm* beside =
        forms.size() > 1 && !forms[1 - chosen].found.refused ? &forms[1 - chosen] : nullptr;
    fit.figures.push_back(error_figure(pairs, form, found, beside ? &beside->form : nullptr,
                                       beside ? &beside->found : nullptr));
    tell_chain(form, found, pairs, with_error, runs, options, fit);
    return fit;
}

}  // namespace isogrid::analysis
