#include "analysis/laws/isoflop_figures.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "analysis/figures/extent.hpp"
#include "analysis/figures/numbers.hpp"
#include "analysis/fit/akima.hpp"

namespace isogrid::analysis {
namespace {

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

}  // namespace

Table budget_table(const std::vector<Budget>& budgets, const MinimaPath& path) {
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

Table method_table(const std::vector<const MinimaPath*>& paths) {
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
    for (const MinimaPath* path : paths) {
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
            const Estimate exponent = estimated(
                path->frontier, path->replicates.frontiers,
                [](const Frontier& f) { return f.parameters.exponent; }, path->replicates.size_widening);
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
    Extent losses;  // about the minima
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
            if (near && !bottom.refused) losses.add(budget.loss[i]);
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
    if (losses.high > losses.low) figure.y.highest = losses.high + 0.4 * (losses.high - losses.low);
    for (const auto& group : {lines, points, minima})
        figure.series.insert(figure.series.end(), group.begin(), group.end());
    return figure;
}

}  // namespace isogrid::analysis
