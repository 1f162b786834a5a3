// Approach 2 of Hoffmann et al. 2022: the best model size of each budget, and how it grows with the budget.
#include <algorithm>
#include <cmath>
#include <map>

#include <boost/math/distributions/chi_squared.hpp>

#include "analysis/fit/akima.hpp"
#include "analysis/laws/frontier.hpp"
#include "analysis/laws/isoflop_budgets.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

constexpr std::size_t fewest_budgets = 3;

/// Everything that follows from one way of finding minima.
struct Path {
    MinimumBy by = MinimumBy::akima;
    std::vector<const Budget*> usable;
    std::vector<Optimum> optima;
    std::vector<double> size_errors, loss_errors;  ///< of log N* and log L*, from redrawn losses
    FrontierWeights weights;
    Frontier frontier;
    FrontierReplicates replicates;
    double unexplained = 0;  ///< squares of log N* about the law in units of the trusted errors
};

/// One redraw of a budget's losses, about its parabola where that is what is fitted, and the lowest in them.
Bottom redraw(const Budget& budget, MinimumBy by, Random& random) {
    std::vector<double> loss = budget.loss;
    for (std::size_t i = 0; i < loss.size(); ++i) {
        const bool fitted = by == MinimumBy::parabola && i >= budget.near.first && i <= budget.near.last;
        const double center = fitted ? budget.near.parabola.at(budget.log_n[i]) : loss[i];
        loss[i] = center + budget.error[i] * random.normal();
    }
    return by == MinimumBy::parabola ? lowest_by_parabola(budget, loss) : lowest_by_akima(budget.log_n, loss);
}

/// Weights 1 / (error^2 + excess^2): the excess is how far the optima lie off a line through them beyond what
/// their errors explain (a random-effects model, DerSimonian and Laird 1986). Equal where nothing is known.
std::vector<double> weigh(const std::vector<double>& errors, double squares) {
    double explained = 0;
    for (const double error : errors)
        explained += error * error / static_cast<double>(errors.size());
    const double scatter = squares / static_cast<double>(errors.size() - 2);
    const double excess = std::max(0.0, scatter - explained);
    const double least = 1e-4 * std::max(explained, excess);  // no optimum is all that counts
    std::vector<double> weights;
    for (const double error : errors)
        weights.push_back(1 / std::max(error * error + excess, least));
    if (!(least > 0)) weights.assign(errors.size(), 1);
    return weights;
}

/// How sure a straight line through the optima is, and by what.
struct Spread {
    std::vector<double> deviation;  ///< to draw each optimum with; empty: draw the redrawn minima
    double widening = 1;
};

/// The optima are as uncertain beside each other as redrawn losses make them, and altogether as much as they
/// scatter about the line (Hartung and Knapp 2001, who scale the variances of a random-effects line so).
/// Three budgets leave one degree of freedom for that: there, the redrawn minima themselves where they vary
/// more.
Spread spread_about_line(const std::vector<Optimum>& optima, const PowerLaw& law, double Optimum::*part,
                         const std::vector<double>& weights, const std::vector<double>& errors,
                         double freedom) {
    const std::size_t count = optima.size();
    std::vector<double> x;
    double total = 0, mean = 0, squares = 0;
    for (std::size_t b = 0; b < count; ++b) {
        x.push_back(std::log(optima[b].flops));
        total += weights[b], mean += weights[b] * x[b];
        squares += std::pow(std::log(optima[b].*part / law.at(optima[b].flops)), 2);
    }
    mean /= total;
    double xx = 0, noise = 0;
    for (std::size_t b = 0; b < count; ++b) {
        x[b] -= mean;
        xx += weights[b] * x[b] * x[b];
        noise += std::pow(weights[b] * x[b] * errors[b], 2);
    }
    const std::vector<double> precision = weigh(errors, squares);
    double expected = 0, slope = 0;  // of the weighted squares about the line, at these precisions
    for (std::size_t b = 0; b < count; ++b) {
        for (std::size_t j = 0; j < count; ++j) {
            const double pull = (b == j ? 1 : 0) - weights[j] * (1 / total + x[b] * x[j] / xx);
            expected += weights[b] * pull * pull / precision[j];
        }
        slope += std::pow(weights[b] * x[b] / xx, 2) / precision[b];
    }
    const double scale = law.squares / expected;
    if (count == fewest_budgets && scale * slope <= noise / (xx * xx)) return {{}, t_widening(freedom)};
    Spread spread{{}, t_widening(static_cast<double>(count - 2))};
    for (const double value : precision)
        spread.deviation.push_back(std::sqrt(scale / value));
    return spread;
}

/// What an optimum is weighed by. An interpolant knows its minimum no better than a third of the grid's
/// spacing (as Porian et al. 2024 take it): between two sizes it is the curve's choice, not the runs'.
/// Without repeats nothing else is known of it, as the scatter about the parabolas is partly theirs.
double trusted_error(const Budget& budget, MinimumBy by, SeedNoise::Source source, double redrawn) {
    if (by == MinimumBy::parabola) return redrawn;
    const bool measured = source == SeedNoise::Source::repeats || source == SeedNoise::Source::stated;
    return std::max(budget.spacing() / 3, measured ? redrawn : 0.0);
}

/// Redrawn minima of each usable budget, log N* and log L* in turn; NaN where a redraw has none.
std::vector<std::vector<double>> redraw_all(const Path& path, const FitOptions& options) {
    return bootstrap(options.bootstrap, options.seed, [&](Random& random) {
        std::vector<double> row;
        for (const Budget* budget : path.usable) {
            const Bottom again = redraw(*budget, path.by, random);
            row.push_back(again.log_n);
            row.push_back(std::log(again.loss));
        }
        return std::optional(row);
    });
}

void replicate(Path& path, const std::vector<std::vector<double>>& minima, double freedom,
               const FitOptions& options) {
    const Spread size = spread_about_line(path.optima, path.frontier.parameters, &Optimum::parameters,
                                          path.weights.size, path.size_errors, freedom);
    const Spread loss = spread_about_line(path.optima, path.frontier.loss, &Optimum::loss, path.weights.loss,
                                          path.loss_errors, freedom);
    path.replicates.size_widening = size.widening, path.replicates.loss_widening = loss.widening;
    for (std::size_t k = 0; k < minima.size(); ++k) {
        Random random(options.seed, options.bootstrap + k);
        std::vector<Optimum> optima;
        FrontierWeights weights;
        for (std::size_t b = 0; b < path.usable.size(); ++b) {
            const double one = random.normal(), other = random.normal();
            const double u = size.deviation.empty()
                                 ? minima[k][2 * b]
                                 : std::log(path.optima[b].parameters) + size.deviation[b] * one;
            const double log_loss = loss.deviation.empty()
                                        ? minima[k][2 * b + 1]
                                        : std::log(path.optima[b].loss) + loss.deviation[b] * other;
            if (!std::isfinite(u) || !std::isfinite(log_loss)) continue;
            optima.push_back(path.usable[b]->optimum_at(u, std::exp(log_loss)));
            weights.size.push_back(path.weights.size[b]), weights.loss.push_back(path.weights.loss[b]);
        }
        if (optima.size() >= fewest_budgets)
            path.replicates.frontiers.push_back(fit_frontier(optima, weights));
    }
}

Path follow(const std::vector<Budget>& budgets, MinimumBy by, const SeedNoise& noise,
            const FitOptions& options) {
    Path path;
    path.by = by;
    for (const Budget& budget : budgets) {
        const Bottom& bottom = budget.bottom(by);
        if (bottom.refused) continue;
        path.usable.push_back(&budget);
        path.optima.push_back(budget.optimum_at(bottom.log_n, bottom.loss));
    }
    if (path.usable.size() < fewest_budgets) return path;
    const auto minima = redraw_all(path, options);
    std::vector<double> trusted;  // what the optima are weighed by
    for (std::size_t b = 0; b < path.usable.size(); ++b) {
        const auto error = [&](std::size_t column) {
            const double se = summarize(0, minima, column).se;
            return std::isfinite(se) ? se : 0.0;
        };
        path.size_errors.push_back(error(2 * b));
        path.loss_errors.push_back(error(2 * b + 1));
        trusted.push_back(trusted_error(*path.usable[b], by, noise.source, path.size_errors.back()));
    }
    const Frontier equal = fit_frontier(path.optima);
    path.weights = {weigh(trusted, equal.parameters.squares), weigh(path.loss_errors, equal.loss.squares)};
    path.frontier = fit_frontier(path.optima, path.weights);
    for (double& error : trusted)
        error = 1 / (error * error);
    if (by == MinimumBy::akima)
        path.unexplained = fit_frontier(path.optima, {trusted, {}}).parameters.squares;
    replicate(path, minima, noise.freedom, options);
    return path;
}

Table budget_table(const std::vector<Budget>& budgets, const Path& path) {
    Table table{"budgets",
                "isoFLOP budgets, and N* by either way to a minimum",
                {{"flops", "budget (FLOPs)", Quantity::flops},
                 {"sizes", "sizes", Quantity::number},
                 {"parameters", "N*", Quantity::parameters},
                 {"parameters_relative_se", "+/- (%)", Quantity::number},
                 {"tokens", "D*", Quantity::tokens},
                 {"tokens_per_parameter", "D*/N*", Quantity::number},
                 {"loss", "loss", Quantity::loss},
                 {"parameters_akima", "Akima", Quantity::parameters},
                 {"parameters_parabola", "parabola", Quantity::parameters},
                 {"status", "status", Quantity::text}},
                {}};
    const double none = std::numeric_limits<double>::quiet_NaN();
    const auto size_by = [](const Bottom& bottom) { return std::exp(bottom.log_n); };
    for (const Budget& budget : budgets) {
        const Bottom& bottom = budget.bottom(path.by);
        std::vector<Cell> row = {budget.flops,
                                 static_cast<double>(budget.loss.size()),
                                 none,
                                 none,
                                 none,
                                 none,
                                 none,
                                 size_by(budget.akima),
                                 size_by(budget.parabola)};
        if (!bottom.refused) {
            const Optimum best = budget.optimum_at(bottom.log_n, bottom.loss);
            row[2] = best.parameters, row[4] = best.tokens;
            row[5] = best.tokens / best.parameters, row[6] = best.loss;
            const auto place = std::find(path.usable.begin(), path.usable.end(), &budget);
            const auto b = static_cast<std::size_t>(place - path.usable.begin());
            if (b < path.size_errors.size() && path.size_errors[b] > 0) row[3] = 100 * path.size_errors[b];
        }
        row.push_back(std::string(bottom.refused ? name(*bottom.refused) : "ok"));
        table.rows.push_back(std::move(row));
    }
    return table;
}

/// The power laws by both ways to a minimum, side by side.
Table method_table(const std::vector<const Path*>& paths) {
    Table table{"minima",
                "The exponents by either way to a minimum",
                {{"minimum", "by", Quantity::text},
                 {"budgets", "budgets", Quantity::number},
                 {"parameters_exponent", "N* exp.", Quantity::number},
                 {"parameters_exponent_low", "from", Quantity::number},
                 {"parameters_exponent_high", "to", Quantity::number},
                 {"tokens_exponent", "D* exp.", Quantity::number},
                 {"loss_exponent", "loss exp.", Quantity::number},
                 {"scatter", "N* off", Quantity::percent}},
                {}};
    for (const Path* path : paths) {
        const double none = std::numeric_limits<double>::quiet_NaN();
        std::vector<Cell> row = {std::string(name(path->by)),
                                 static_cast<double>(path->usable.size()),
                                 none,
                                 none,
                                 none,
                                 none,
                                 none,
                                 none};
        if (path->usable.size() >= fewest_budgets) {
            const Estimate exponent =
                spread(path->frontier, path->replicates.frontiers, path->replicates.size_widening,
                       [](const Frontier& f) { return f.parameters.exponent; });
            double squares = 0;
            for (const Optimum& optimum : path->optima)
                squares +=
                    std::pow(std::log(optimum.parameters / path->frontier.parameters.at(optimum.flops)), 2);
            row[2] = exponent.value, row[3] = exponent.low, row[4] = exponent.high;
            row[5] = path->frontier.tokens.exponent, row[6] = path->frontier.loss.exponent;
            row[7] = std::sqrt(squares / static_cast<double>(path->optima.size()));
        }
        table.rows.push_back(std::move(row));
    }
    return table;
}

/// The curve that a budget's minimum is read from, and how far it goes.
struct Drawn {
    double from = 0, to = 0;
    std::function<double(double log_n)> loss;
};
Drawn curve_of(const Budget& budget, MinimumBy by) {
    if (by == MinimumBy::parabola)
        return {budget.log_n[budget.near.first], budget.log_n[budget.near.last],
                [&budget](double u) { return budget.near.parabola.at(u); }};
    std::vector<double> log_loss;
    for (const double loss : budget.loss)
        log_loss.push_back(std::log(loss));
    return {budget.log_n.front(), budget.log_n.back(),
            [curve = Akima(budget.log_n, log_loss)](double u) { return std::exp(curve.at(u)); }};
}

Figure curves_figure(const std::vector<Budget>& budgets, MinimumBy by) {
    Figure figure{
        "isoflop-curves",
        "Each budget has a best model size",
        by == MinimumBy::parabola
            ? "Final loss of every run against its size, one colour a budget. Filled points are those near "
              "the minimum, through which the parabola runs; a diamond marks its minimum. Crosses belong to "
              "budgets without a usable minimum. Losses far above the minima are not shown."
            : "Final loss of every run against its size, one colour a budget, with Akima's curve through "
              "them; "
              "a diamond marks its minimum. Crosses belong to budgets without a usable minimum. Losses far "
              "above the minima are not shown.",
        {"parameters N", Quantity::parameters, true},
        {"validation loss (nats a token)", Quantity::loss, false},
        {}};
    figure.legend = "budget (FLOPs)";
    std::vector<Series> lines, points, minima;
    double low = std::numeric_limits<double>::infinity(), high = 0;  // of the losses about the minima
    for (std::size_t b = 0; b < budgets.size(); ++b) {
        const Budget& budget = budgets[b];
        const Bottom& bottom = budget.bottom(by);
        const double shade =
            budgets.size() > 1 ? static_cast<double>(b) / static_cast<double>(budgets.size() - 1) : 0.5;
        Series inside{format_quantity(budget.flops, Quantity::flops), Mark::points, shade, 0, {}, {}, {}};
        Series outside{"", Mark::rings, shade, 0, {}, {}, {}};
        if (bottom.refused) {
            inside.mark = Mark::crosses;
            inside.label += " (" + std::string(name(*bottom.refused)) + ")";
        }
        for (std::size_t i = 0; i < budget.loss.size(); ++i) {
            const bool near = i >= budget.near.first && i <= budget.near.last;
            Series& where = near || bottom.refused || by == MinimumBy::akima ? inside : outside;
            where.x.push_back(std::exp(budget.log_n[i]));
            where.y.push_back(budget.loss[i]);
            if (near && !bottom.refused)
                low = std::min(low, budget.loss[i]), high = std::max(high, budget.loss[i]);
        }
        points.push_back(inside);
        if (!outside.x.empty()) points.push_back(outside);
        if (bottom.refused) continue;
        Series line{"", Mark::line, shade, 0, {}, {}, {}};
        const Drawn curve = curve_of(budget, by);
        constexpr int samples = 120;
        for (int step = 0; step <= samples; ++step) {
            const double u = curve.from + (curve.to - curve.from) * step / samples;
            line.x.push_back(std::exp(u));
            line.y.push_back(curve.loss(u));
        }
        lines.push_back(line);
        minima.push_back({"", Mark::diamonds, shade, 0, {std::exp(bottom.log_n)}, {bottom.loss}, {}});
    }
    // A few undertrained giants would squeeze everything else to the bottom.
    if (high > low) figure.y.highest = high + 0.4 * (high - low);
    for (const auto& group : {lines, points, minima})
        figure.series.insert(figure.series.end(), group.begin(), group.end());
    return figure;
}

std::optional<Reason> too_few(const std::vector<Budget>& budgets, const Path& path) {
    const std::size_t usable = path.usable.size();
    if (usable >= fewest_budgets) return std::nullopt;
    if (budgets.empty())
        return Reason{
            Refusal::too_few_budgets,
            "no runs of different sizes share a budget (a budget's runs have the same FLOPs) run isoFLOP "
            "budgets of three or more sizes"};
    std::map<std::string, int> reasons;
    for (const Budget& budget : budgets)
        if (const auto refused = budget.bottom(path.by).refused) ++reasons[std::string(name(*refused))];
    std::string text = std::to_string(usable) + " of " + std::to_string(budgets.size()) +
                       " budgets usable (" + std::to_string(fewest_budgets) + " are needed";
    for (const auto& [reason, count] : reasons)
        text += ", " + std::to_string(count) + " " + reason;
    return Reason{Refusal::too_few_budgets, text + ") add budgets of three or more sizes around the optimum"};
}

/// How much farther redrawn losses move Akima's minima than the parabolas', in the middle of the budgets that
/// have both.
double unsteadiness(const Path& akima, const Path& parabola) {
    std::vector<double> ratios;
    for (std::size_t a = 0; a < akima.usable.size(); ++a)
        for (std::size_t p = 0; p < parabola.usable.size(); ++p)
            if (akima.usable[a] == parabola.usable[p] && parabola.size_errors[p] > 0)
                ratios.push_back(akima.size_errors[a] / parabola.size_errors[p]);
    std::sort(ratios.begin(), ratios.end());
    return ratios.empty() ? 0 : quantile(ratios, 0.5);
}

/// A curve through every loss takes its noise for shape. Three signs say that it does: fewer than three
/// budgets have a minimum on it; the minima lie farther off their power law than the grid's spacing explains
/// (chi-square at 1%); or redrawn losses move them four times as far as those of parabolas.
bool parabola_is_better(const Path& akima, const Path& parabola, std::vector<std::string>& notes) {
    constexpr double much = 4;
    if (parabola.usable.size() < fewest_budgets) return false;
    std::string sign;
    if (akima.usable.size() < fewest_budgets)
        sign = "it has too few minima";
    else if (akima.unexplained >
             boost::math::quantile(boost::math::chi_squared(static_cast<double>(akima.usable.size() - 2)),
                                   0.99))
        sign = "its minima lie farther off their power law than the grid's spacing explains";
    else if (const double ratio = unsteadiness(akima, parabola); ratio > much)
        sign = "noise moves its minima " + format_significant(ratio, 2) + " times as far";
    if (sign.empty()) return false;
    notes.push_back(
        "minima are those of parabolas: the losses are too noisy for a curve through all of them (" + sign +
        "); --minimum akima takes the curve");
    return true;
}

std::string describe(const SeedNoise& noise, double loss) {
    const std::string sigma =
        format_significant(noise.at(loss), 2) + " at a loss of " + format_significant(loss, 3);
    const std::string freedom = format_significant(noise.freedom, 3) + " degrees of freedom";
    switch (noise.source) {
        case SeedNoise::Source::repeats:
            return "a loss moves by " + sigma + " with its seed, as repeats say (" + freedom + ")" +
                   (noise.grows ? ", and as the loss to the power " + format_significant(noise.slope, 3)
                                : ", taken to grow in proportion to the loss");
        case SeedNoise::Source::stated:
            return "the losses' errors are those that the runs state";
        case SeedNoise::Source::scatter:
            return "there are no repeats: a loss is taken to move by " + sigma +
                   ", its scatter about the parabolas (" + freedom + ")";
        case SeedNoise::Source::none:
            break;
    }
    return "nothing tells how noisy the losses are (no repeats, and no more sizes than a parabola needs): "
           "the "
           "intervals rest on how far the minima lie off their power law";
}

}  // namespace

LawFit fit_isoflop(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "isoflop";
    std::vector<Budget> budgets = gather_budgets(runs);
    find_minima(budgets);
    const SeedNoise noise = measure_noise(budgets);
    Path path = follow(budgets, MinimumBy::akima, noise, options);
    Path second = follow(budgets, MinimumBy::parabola, noise, options);
    if (options.minimum == MinimumBy::parabola ||
        (options.minimum == MinimumBy::best && parabola_is_better(path, second, fit.notes)))
        std::swap(path, second);
    std::size_t set_aside = 0;
    for (const Budget& budget : budgets) {
        set_aside += budget.set_aside;
        if (const auto refused = budget.bottom(path.by).refused)
            fit.warnings.push_back({*refused, explain(budget, path.by)});
    }
    for (const Budget* budget : path.usable)
        if (budget->near.lowest == 0 || budget->near.lowest + 1 == budget->loss.size())
            fit.warnings.push_back({Refusal::edge_minimum,
                                    "budget " + format_quantity(budget->flops, Quantity::flops) +
                                        ": the lowest loss is that of the " +
                                        (budget->near.lowest == 0 ? "smallest" : "largest") +
                                        " size (the curve's minimum lies between it and the next) add sizes "
                                        "beyond it"});
    fit.optima = path.optima;
    if (set_aside > 0)
        fit.notes.push_back("of runs that share budget and size the best was taken; " +
                            std::to_string(set_aside) + " others were set aside");
    if (!budgets.empty()) {
        fit.figures.push_back(curves_figure(budgets, path.by));
        fit.tables.push_back(budget_table(budgets, path));
    }
    if ((fit.refused = too_few(budgets, path))) return fit;
    answer_with(path.frontier, path.replicates, fit);
    fit.objective = "weighted least squares of log N";
    double log_loss = 0;
    for (const Optimum& optimum : path.optima)
        log_loss += std::log(optimum.loss) / static_cast<double>(path.optima.size());
    fit.notes.push_back(describe(noise, std::exp(log_loss)));
    fit.tables.push_back(method_table({&path, &second}));
    for (Table& table : frontier_validation(path.optima, path.weights))
        if (!table.rows.empty()) fit.tables.push_back(std::move(table));
    if (fit.optima.size() == fewest_budgets)
        fit.warnings.push_back(
            {Refusal::too_few_budgets,
             "a line through 3 budgets (one degree of freedom) is hardly tested add budgets"});
    return fit;
}

}  // namespace isogrid::analysis
