// From loss to the error on a task, and so from size and data to it.
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "analysis/fit/parametric.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/banded_line.hpp"
#include "analysis/laws/joint.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

/// Loss and error of the runs that tell both.
struct Pairs {
    std::vector<double> loss, error;
    double mean = 0;  ///< of the loss

    explicit Pairs(const std::vector<Run>& runs) {
        for (const Run& run : runs)
            if (run.error) loss.push_back(run.loss), error.push_back(*run.error);
        mean = std::accumulate(loss.begin(), loss.end(), 0.0) / static_cast<double>(loss.size());
    }
    double lowest() const { return *std::min_element(error.begin(), error.end()); }
    double highest() const { return *std::max_element(error.begin(), error.end()); }
};

/// A way in which error may follow loss.
struct Form {
    std::string_view name, equation;
    std::vector<ReportedParameter> parameters;
    double (*error)(std::span<const double> values, double loss);
    ResidualModel (*model)(const Pairs& pairs);
    std::vector<double> (*report)(const Pairs& pairs, std::span<const double> at);
    std::vector<std::vector<double>> (*starts)(const Pairs& pairs);
};

/// epsilon - k exp(-gamma L), in epsilon, log k at the mean loss, and log gamma.
Form exponential() {
    return {"exponential",
            "epsilon - k exp(-gamma L)",
            {{"epsilon", 0, 1.2, /*soft=*/true}, {"k"}, {"gamma", 1e-3, 1e3}},
            [](std::span<const double> v, double loss) { return v[0] - v[1] * std::exp(-v[2] * loss); },
            [](const Pairs& pairs) -> ResidualModel {
                return {3, pairs.loss.size(),
                        [&pairs](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                            const double gamma = std::exp(at[2]), x = pairs.loss[i] - pairs.mean;
                            const double drop = std::exp(at[1] - gamma * x);
                            if (!gradient.empty())
                                gradient[0] = 1, gradient[1] = -drop, gradient[2] = gamma * x * drop;
                            return at[0] - drop - pairs.error[i];
                        }};
            },
            [](const Pairs& pairs, std::span<const double> at) {
                const double gamma = std::exp(at[2]);
                return std::vector{at[0], std::exp(at[1] + gamma * pairs.mean), gamma};
            },
            [](const Pairs& pairs) {
                std::vector<std::vector<double>> grid;
                const double range = std::max(pairs.highest() - pairs.lowest(), 1e-6);
                for (const double above : {0.02, 0.2, 1.0})
                    for (const double drop : {0.3, 1.0})
                        for (const double gamma : {0.1, 0.5, 1.0, 2.0, 5.0})
                            grid.push_back(
                                {pairs.highest() + above * range, std::log(drop * range), std::log(gamma)});
                return grid;
            }};
}

/// low + (high - low) / (1 + exp(-kappa (L - L0))), in low, log(high - low), log kappa, L0.
Form sigmoid() {
    return {"sigmoid",
            "a sigmoid in L",
            {{"low", -0.5, 1, true}, {"high", 0, 1.5, true}, {"kappa", 1e-2, 1e3}, {"L0"}},
            [](std::span<const double> v, double loss) {
                return v[0] + (v[1] - v[0]) / (1 + std::exp(-v[2] * (loss - v[3])));
            },
            [](const Pairs& pairs) -> ResidualModel {
                return {4, pairs.loss.size(),
                        [&pairs](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                            const double range = std::exp(at[1]), kappa = std::exp(at[2]);
                            const double x = pairs.loss[i] - at[3];
                            const double share = 1 / (1 + std::exp(-kappa * x));
                            const double slope = range * share * (1 - share);
                            if (!gradient.empty()) {
                                gradient[0] = 1, gradient[1] = range * share;
                                gradient[2] = slope * kappa * x, gradient[3] = -slope * kappa;
                            }
                            return at[0] + range * share - pairs.error[i];
                        }};
            },
            [](const Pairs&, std::span<const double> at) {
                return std::vector{at[0], at[0] + std::exp(at[1]), std::exp(at[2]), at[3]};
            },
            [](const Pairs& pairs) {
                std::vector<std::vector<double>> grid;
                const double range = std::max(pairs.highest() - pairs.lowest(), 1e-6);
                for (const double under : {0.0, 0.5})
                    for (const double wide : {1.1, 2.0})
                        for (const double kappa : {0.5, 1.5, 4.0, 12.0})
                            for (const double middle : {-1.0, 0.0, 1.0})
                                grid.push_back({pairs.lowest() - under * range, std::log(wide * range),
                                                std::log(kappa), pairs.mean + middle});
                return grid;
            }};
}

ParametricFit fit_form(const Form& form, const Pairs& pairs, const FitOptions& options) {
    return fit_parametric({.model = form.model(pairs),
                           .parameters = form.parameters,
                           .report = [&](std::span<const double> at) { return form.report(pairs, at); },
                           .starts = form.starts(pairs)},
                          options);
}

/// Akaike's criterion with its correction for few observations (Hurvich and Tsai 1989).
double akaike(const Form& form, const Pairs& pairs, std::span<const double> values) {
    double squares = 0;
    for (std::size_t i = 0; i < pairs.loss.size(); ++i) {
        const double error = form.error(values, pairs.loss[i]) - pairs.error[i];
        squares += error * error;
    }
    const auto n = static_cast<double>(pairs.loss.size()),
               p = static_cast<double>(form.parameters.size()) + 1;  // and the variance
    if (n - p - 1 <= 0) return std::nan("");
    return n * std::log(std::max(squares, 1e-300) / n) + 2 * p + 2 * p * (p + 1) / (n - p - 1);
}

/// Half decades of compute: a cut for each run would take long and tell no more.
std::vector<double> half_decades(const std::vector<Run>& runs) {
    std::vector<double> scale;
    for (const Run& run : runs)
        scale.push_back(std::pow(10.0, std::ceil(2 * std::log10(run.flops) - 1e-9) / 2));
    return scale;
}

/// Error from the measured loss of runs above the cut.
double held_out(const Form& form, const std::vector<Run>& runs, const Pairs& pairs,
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

/// The two laws one after the other, with the replicates of both.
struct Chain {
    Form form;
    std::vector<double> values;
    std::vector<std::vector<double>> replicates;
    double widening = 1;
    LawFit loss;

    Estimate error(double parameters, double tokens) const {
        std::vector<double> spread;
        const std::size_t count = std::min(replicates.size(), loss.surface->replicates.size());
        for (std::size_t k = 0; k < count; ++k)
            spread.push_back(form.error(replicates[k], loss.surface->replicates[k](parameters, tokens)));
        return summarize(form.error(values, loss.surface->loss(parameters, tokens)), std::move(spread),
                         widening);
    }
};

/// The size of least loss at a budget: one valley in log N.
struct Best {
    double parameters = 0, tokens = 0, loss = 0;
};

Best best_at(const LossSurface& surface, double flops) {
    const double product = flops / surface.flops_per_parameter_token;
    const auto loss = [&](double log_size) {
        return surface.loss(std::exp(log_size), product / std::exp(log_size));
    };
    double low = 0.5 * std::log(product) - 8, high = low + 16;
    for (int k = 0; k < 60; ++k) {
        const double left = low + 0.382 * (high - low), right = high - 0.382 * (high - low);
        if (loss(left) < loss(right))
            high = right;
        else
            low = left;
    }
    const double size = std::exp((low + high) / 2);
    return {size, product / size, loss((low + high) / 2)};
}

Table prediction_table(const Chain& chain, double largest) {
    Table table{"errors",
                "Predicted error of the best size, from compute alone",
                {{"flops", "compute", Quantity::flops},
                 {"parameters", "parameters", Quantity::parameters},
                 {"tokens", "tokens", Quantity::tokens},
                 {"loss", "loss", Quantity::loss},
                 {"error", "error", Quantity::percent},
                 {"low", "95% from", Quantity::percent},
                 {"high", "to", Quantity::percent}},
                {}};
    for (const double more : {1.0, 10.0, 100.0}) {
        const Best best = best_at(*chain.loss.surface, more * largest);
        const Estimate error = chain.error(best.parameters, best.tokens);
        table.rows.push_back(
            {more * largest, best.parameters, best.tokens, best.loss, error.value, error.low, error.high});
    }
    return table;
}

Figure error_figure(const Pairs& pairs, const Form& chosen, const ParametricFit& found, const Form* other,
                    const ParametricFit* other_found) {
    Figure figure{"downstream",
                  "Error on the task against loss",
                  "Points: runs. Line: the law with its 95% interval" +
                      std::string(other ? "; dashed: the other form." : "."),
                  {"loss (nats a token)", Quantity::loss, false},
                  {"error", Quantity::percent, false},
                  {}};
    const auto [least, most] = std::minmax_element(pairs.loss.begin(), pairs.loss.end());
    const double low = *least - 0.15 * (*most - *least), high = *most + 0.05 * (*most - *least);
    BandedLine line(std::string(chosen.name), std::nullopt, 1);
    line.band.label = "95%";
    Series dashes{other ? std::string(other->name) : "", Mark::dashes, std::nullopt, 2, {}, {}, {}};
    for (int k = 0; k <= 60; ++k) {
        const double loss = low + (high - low) * k / 60;
        line.add(loss, derived(found, "", [&](auto v) { return chosen.error(v, loss); }).estimate);
        if (other) dashes.x.push_back(loss), dashes.y.push_back(other->error(other_found->values, loss));
    }
    line.draw_into(figure);
    if (other) figure.series.push_back(std::move(dashes));
    figure.series.push_back({"runs", Mark::points, std::nullopt, 0, pairs.loss, pairs.error, {}});
    return figure;
}

Figure chain_figure(const Chain& chain, const std::vector<Run>& runs) {
    Figure figure{
        "downstream-chain",
        "Error on the task against compute",
        "Points: runs, light ones of many tokens per parameter. Line: the law of loss and the law of error "
        "one after the other, at the best size for each compute, with the 95% interval of both.",
        {"training compute C (FLOPs)", Quantity::flops, true},
        {"error", Quantity::percent, false},
        {}};
    double low = std::numeric_limits<double>::infinity(), high = 0, least = low, most = 0;
    for (const Run& run : runs) {
        low = std::min(low, run.flops), high = std::max(high, run.flops);
        least = std::min(least, run.tokens / run.parameters);
        most = std::max(most, run.tokens / run.parameters);
    }
    BandedLine line("predicted", std::nullopt, 1);
    line.band.label = "95%";
    for (int k = 0; k <= 40; ++k) {
        const double flops = low * std::pow(30 * high / low, k / 40.0);
        const Best best = best_at(*chain.loss.surface, flops);
        line.add(flops, chain.error(best.parameters, best.tokens));
    }
    line.draw_into(figure);
    for (const Run& run : runs)
        if (run.error)
            figure.series.push_back(
                {"",
                 Mark::points,
                 most > least ? std::log(run.tokens / run.parameters / least) / std::log(most / least) : 0.5,
                 0,
                 {run.flops},
                 {*run.error},
                 {}});
    return figure;
}

}  // namespace

LawFit fit_downstream(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "downstream";
    fit.objective = to_string(options.objective) + " of the error";
    const Pairs pairs(runs.used);
    constexpr std::size_t fewest = 6;
    if (pairs.loss.size() < fewest || !(pairs.highest() > pairs.lowest())) {
        fit.refused =
            Reason{Refusal::too_few_runs, std::to_string(pairs.loss.size()) +
                                              " runs with an error on the task (" + std::to_string(fewest) +
                                              " that differ are needed for 3 parameters) evaluate more runs"};
        return fit;
    }
    const Form form = exponential(), other = sigmoid();
    const ParametricFit found = fit_form(form, pairs, options);
    fit.refused = found.refused;
    fit.warnings = found.warnings;
    fit.notes = found.notes;
    if (found.minima.empty()) return fit;
    fit.objective_value = found.minima.front().value;
    fit.parameters = found.parameters;
    if (fit.refused) return fit;
    if (found.values[1] * std::exp(-found.values[2] * pairs.mean) < 0.02 * found.values[0])
        fit.warnings.push_back(
            {Refusal::ill_conditioned, "the error hardly follows the loss (it stays near " +
                                           format_significant(found.values[0], 3) + ") take an easier task"});

    // The sigmoid needs one parameter more; without a bootstrap it is only compared.
    FitOptions point = options;
    point.bootstrap = 0;
    std::optional<ParametricFit> second;
    if (pairs.loss.size() >= fewest + 2) {
        second = fit_form(other, pairs, point);
        if (second->refused) second.reset();
    }
    std::vector<Run> with_error;
    for (const Run& run : runs.used)
        if (run.error) with_error.push_back(run);
    Table forms{"forms",
                "How error may follow loss",
                {{"form", "form", Quantity::text},
                 {"equation", "error", Quantity::text},
                 {"parameters", "parameters", Quantity::number},
                 {"objective", "objective", Quantity::number},
                 {"aic", "AIC", Quantity::number},
                 {"held_out", "held out", Quantity::percent}},
                {}};
    const auto row = [&](const Form& of, const ParametricFit& by) {
        forms.rows.push_back({std::string(of.name), std::string(of.equation),
                              static_cast<double>(of.parameters.size()), by.minima.front().value,
                              akaike(of, pairs, by.values), held_out(of, with_error, pairs, options)});
    };
    row(form, found);
    if (second) {
        row(other, *second);
        for (std::size_t p = 0; p < second->values.size(); ++p)
            fit.derived.push_back({"sigmoid_" + other.parameters[p].name, {second->values[p]}});
        if (akaike(other, pairs, second->values) < akaike(form, pairs, found.values) - 4)
            fit.notes.push_back(
                "the sigmoid describes these runs better (AIC lower by " +
                format_significant(akaike(form, pairs, found.values) - akaike(other, pairs, second->values),
                                   3) +
                "): the task's error levels off below, or begins to fall late");
    } else {
        fit.notes.push_back("the sigmoid was not fitted, or was refused: too few runs for its 4 parameters");
    }
    fit.tables.push_back(std::move(forms));
    fit.figures.push_back(
        error_figure(pairs, form, found, second ? &other : nullptr, second ? &*second : nullptr));

    const FitLaw fit_loss = loss_law(runs, options);
    Chain chain{form, found.values, found.replicates, found.widening, fit_loss(runs, options)};
    if (chain.loss.refused || !chain.loss.surface) {
        fit.notes.push_back(
            "no chain from size and data to the error: the law of loss is refused (" +
            std::string(name(chain.loss.refused ? chain.loss.refused->kind : Refusal::missing_columns)) +
            ")");
        return fit;
    }
    fit.notes.push_back("chained on the law " + chain.loss.name +
                        " of the same runs; replicate k of both sees the same resampled runs");
    double largest = 0;
    for (const Run& run : runs.used)
        largest = std::max(largest, run.flops);
    fit.tables.push_back(prediction_table(chain, largest));
    const auto cuts = expanding_window(
        half_decades(with_error), pairs.error, 8,
        [&](std::span<const std::size_t> some) -> std::optional<Predictor> {
            Runs part;
            for (const std::size_t i : some)
                part.used.push_back(with_error[i]);
            const auto below = std::make_shared<const Pairs>(part.used);
            const auto minima =
                minimize_from_many(form.model(*below), options.objective, {}, form.starts(*below), 6);
            auto loss = std::make_shared<const LawFit>(fit_loss(part, point));
            if (minima.empty() || loss->refused || !loss->surface) return std::nullopt;
            return [&, loss, values = form.report(*below, minima.front().at)](std::size_t i) {
                return form.error(values,
                                  loss->surface->loss(with_error[i].parameters, with_error[i].tokens));
            };
        });
    if (!cuts.empty())
        fit.tables.push_back(
            validation_table(cuts, {"flops", "compute", Quantity::flops}, "error, from size and data alone"));
    fit.figures.push_back(chain_figure(chain, runs.used));
    return fit;
}

}  // namespace isogrid::analysis
