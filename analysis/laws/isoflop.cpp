// Approach 2 of Hoffmann et al. 2022: the best model size of each budget, and how it grows with the budget.
#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/fit/parabola.hpp"
#include "analysis/laws/frontier.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

constexpr std::size_t fewest_budgets = 3;

/// The runs of one budget by rising size; of several runs of one size, the best.
struct Budget {
    double flops = 0;
    std::vector<double> log_n, log_d, loss;
    std::size_t repeated = 0;  ///< runs set aside because another of the same size did better
    Window window;
    LocalMinimum minimum;

    /// Tokens at a size inside the budget, linear in logarithms between its runs.
    double tokens_at(double u) const {
        const auto above = std::upper_bound(log_n.begin() + 1, log_n.end() - 1, u);
        const auto i = static_cast<std::size_t>(above - log_n.begin());
        const double share = (u - log_n[i - 1]) / (log_n[i] - log_n[i - 1]);
        return std::exp(log_d[i - 1] + share * (log_d[i] - log_d[i - 1]));
    }
    Optimum optimum_at(double u, double lowest) const { return {flops, std::exp(u), tokens_at(u), lowest}; }
};

/// Runs that share a budget and have two sizes or more. A budget's FLOPs are its nominal ones where the runs
/// meet them within 2%, else (another counting convention) the geometric mean of what the runs spent.
std::vector<Budget> gather(const Runs& runs) {
    std::vector<const Run*> order;
    for (const Run& run : runs.used)
        if (run.budget > 0) order.push_back(&run);
    std::stable_sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->budget < b->budget; });
    std::vector<Budget> budgets;
    for (auto begin = order.begin(); begin != order.end();) {
        const double nominal = (*begin)->budget;
        const auto end =
            std::find_if(begin, order.end(), [&](const Run* run) { return run->budget != nominal; });
        std::map<double, const Run*> best;
        double log_flops = 0;
        bool met = true;
        Budget budget;
        for (auto run = begin; run != end; ++run) {
            const auto [at, fresh] = best.try_emplace((*run)->parameters, *run);
            if (!fresh) ++budget.repeated;
            if ((*run)->loss < at->second->loss) at->second = *run;
            log_flops += std::log((*run)->flops) / static_cast<double>(end - begin);
            met = met && std::abs((*run)->flops / nominal - 1) < 0.02;
        }
        begin = end;
        if (best.size() < 2) continue;
        budget.flops = met ? nominal : std::exp(log_flops);
        for (const auto& [parameters, run] : best) {
            budget.log_n.push_back(std::log(parameters));
            budget.log_d.push_back(std::log(run->tokens));
            budget.loss.push_back(run->loss);
        }
        budgets.push_back(std::move(budget));
    }
    return budgets;
}

double degrees_of_freedom(const std::vector<Budget>& budgets) {
    double freedom = 0;
    for (const Budget& budget : budgets)
        if (!budget.minimum.refused)
            freedom += static_cast<double>(budget.minimum.last - budget.minimum.first + 1) - 3;
    return freedom;
}

/// Fits every budget's parabola in a narrow window; where grids are so sparse that hardly one has a fourth
/// point in it, in a wider one, since parabolas that pass through all of their points say nothing of their
/// error.
void find_minima(std::vector<Budget>& budgets) {
    const auto fit = [&](const Window& window) {
        for (Budget& budget : budgets) {
            budget.window = window;
            budget.minimum = find_minimum(budget.log_n, budget.loss, window);
        }
    };
    fit({});
    if (degrees_of_freedom(budgets) < 2) fit({.points = 5, .sparse_reach = std::log(3.0)});
}

std::string explain(const Budget& budget) {
    const std::string which = "budget " + format_quantity(budget.flops, Quantity::flops) + ": ";
    const std::size_t lowest = budget.minimum.lowest;
    switch (budget.minimum.refused.value()) {
        case Refusal::too_few_runs:
            return which + std::to_string(budget.loss.size()) + " sizes (a parabola needs 3) run more sizes";
        case Refusal::concave:
            return which +
                   "the parabola opens downwards (the losses have no minimum over size) look at the "
                   "runs: their recipe may not suit every size";
        default:
            break;
    }
    if (lowest != 0 && lowest + 1 != budget.loss.size())
        return which +
               "the parabola's minimum lies outside the sizes fitted (the losses are too uneven) add "
               "sizes near the lowest";
    return which + "the " + (lowest == 0 ? "smallest" : "largest") +
           " size does best (the minimum lies beyond it) add " + (lowest == 0 ? "smaller" : "larger") +
           " sizes";
}

/// Deviation of one loss about its budget's parabola as a share of the loss, pooled over the budgets.
double relative_noise(const std::vector<Budget>& budgets) {
    double squares = 0;
    for (const Budget& budget : budgets) {
        if (budget.minimum.refused) continue;
        const Parabola& parabola = budget.minimum.parabola;
        squares += parabola.squares / (parabola.minimum * parabola.minimum);
    }
    const double freedom = degrees_of_freedom(budgets);
    return freedom > 0 ? std::sqrt(squares / freedom) : 0;
}

/// One redraw of a budget's losses about its parabola, and the minimum found in them.
LocalMinimum redraw(const Budget& budget, double noise, Random& random) {
    std::vector<double> loss = budget.loss;
    for (std::size_t i = 0; i < loss.size(); ++i) {
        const bool fitted = i >= budget.minimum.first && i <= budget.minimum.last;
        const double center = fitted ? budget.minimum.parabola.at(budget.log_n[i]) : loss[i];
        loss[i] = center * (1 + noise * random.normal());
    }
    return find_minimum(budget.log_n, loss, budget.window);
}

/// How far the optima lie off their power law beyond what the redrawn losses explain: the deviation between
/// budgets of a random-effects model (DerSimonian and Laird 1986).
double excess_deviation(double squares, std::size_t budgets, const std::vector<double>& errors) {
    double explained = 0;
    for (const double error : errors)
        explained += error * error / static_cast<double>(errors.size());
    return std::sqrt(std::max(0.0, squares / static_cast<double>(budgets - 2) - explained));
}

/// The frontier's replicates: each budget's losses redrawn, and each optimum moved by the excess deviation.
std::vector<Frontier> replicate(const std::vector<Budget>& budgets, const Frontier& frontier,
                                const FitOptions& options, std::vector<double>& size_errors) {
    const double noise = relative_noise(budgets);
    const auto minima = bootstrap(options.bootstrap, options.seed, [&](Random& random) {
        std::vector<double> row;  // vertex and minimum of each usable budget, NaN where the redraw has none
        for (const Budget& budget : budgets) {
            if (budget.minimum.refused) continue;
            const LocalMinimum again = redraw(budget, noise, random);
            const double none = std::numeric_limits<double>::quiet_NaN();
            row.push_back(again.refused ? none : again.parabola.vertex);
            row.push_back(again.refused ? none : std::log(again.parabola.minimum));
        }
        return std::optional(row);
    });
    std::vector<const Budget*> usable;
    for (const Budget& budget : budgets)
        if (!budget.minimum.refused) usable.push_back(&budget);
    std::vector<double> loss_errors;
    for (std::size_t b = 0; b < usable.size() && !minima.empty(); ++b) {
        size_errors.push_back(summarize(0, minima, 2 * b).se);
        loss_errors.push_back(summarize(0, minima, 2 * b + 1).se);
    }
    const double size_excess = excess_deviation(frontier.parameters.squares, usable.size(), size_errors);
    const double loss_excess = excess_deviation(frontier.loss.squares, usable.size(), loss_errors);

    std::vector<Frontier> replicates;
    for (std::size_t k = 0; k < minima.size(); ++k) {
        Random random(options.seed, options.bootstrap + k);
        std::vector<Optimum> optima;
        for (std::size_t b = 0; b < usable.size(); ++b) {
            const double u = minima[k][2 * b] + size_excess * random.normal();
            const double log_loss = minima[k][2 * b + 1] + loss_excess * random.normal();
            if (std::isfinite(u)) optima.push_back(usable[b]->optimum_at(u, std::exp(log_loss)));
        }
        if (optima.size() >= fewest_budgets) replicates.push_back(fit_frontier(optima));
    }
    return replicates;
}

Table budget_table(const std::vector<Budget>& budgets, const std::vector<double>& size_errors) {
    Table table{"budgets",
                "isoFLOP budgets",
                {{"flops", "budget (FLOPs)", Quantity::flops},
                 {"sizes", "sizes", Quantity::number},
                 {"parameters", "N*", Quantity::parameters},
                 {"parameters_relative_se", "+/- (%)", Quantity::number},
                 {"tokens", "D*", Quantity::tokens},
                 {"tokens_per_parameter", "D*/N*", Quantity::number},
                 {"loss", "loss at N*", Quantity::loss},
                 {"status", "status", Quantity::text}},
                {}};
    std::size_t usable = 0;
    for (const Budget& budget : budgets) {
        const double none = std::numeric_limits<double>::quiet_NaN();
        const auto sizes = static_cast<double>(budget.loss.size());
        if (budget.minimum.refused) {
            table.rows.push_back({budget.flops, sizes, none, none, none, none, none,
                                  std::string(name(*budget.minimum.refused))});
            continue;
        }
        const Optimum best =
            budget.optimum_at(budget.minimum.parabola.vertex, budget.minimum.parabola.minimum);
        const double error = usable < size_errors.size() ? 100 * size_errors[usable] : none;
        ++usable;
        table.rows.push_back({budget.flops, sizes, best.parameters, error, best.tokens,
                              best.tokens / best.parameters, best.loss, std::string("ok")});
    }
    return table;
}

Figure curves_figure(const std::vector<Budget>& budgets) {
    Figure figure{
        "isoflop-curves",
        "Each budget has a best model size",
        "Final loss of every run against its size, one colour a budget. Filled points are those near "
        "the minimum, through which the parabola runs; a diamond marks its minimum. Crosses belong to "
        "budgets without a usable minimum. Losses far above the parabolas are not shown.",
        {"parameters N", Quantity::parameters, true},
        {"validation loss (nats a token)", Quantity::loss, false},
        {}};
    figure.legend = "budget (FLOPs)";
    std::vector<Series> lines, points, minima;
    for (std::size_t b = 0; b < budgets.size(); ++b) {
        const Budget& budget = budgets[b];
        const double shade =
            budgets.size() > 1 ? static_cast<double>(b) / static_cast<double>(budgets.size() - 1) : 0.5;
        const bool refused = budget.minimum.refused.has_value();
        Series inside{format_quantity(budget.flops, Quantity::flops), Mark::points, shade, 0, {}, {}, {}};
        Series outside{"", Mark::rings, shade, 0, {}, {}, {}};
        if (refused) {
            inside.mark = Mark::crosses;
            inside.label += " (" + std::string(name(*budget.minimum.refused)) + ")";
        }
        for (std::size_t i = 0; i < budget.loss.size(); ++i) {
            const bool fitted = refused || (i >= budget.minimum.first && i <= budget.minimum.last);
            Series& where = fitted ? inside : outside;
            where.x.push_back(std::exp(budget.log_n[i]));
            where.y.push_back(budget.loss[i]);
        }
        points.push_back(inside);
        if (!outside.x.empty()) points.push_back(outside);
        if (refused) continue;
        Series line{"", Mark::line, shade, 0, {}, {}, {}};
        const double from = budget.log_n[budget.minimum.first], to = budget.log_n[budget.minimum.last];
        for (int step = 0; step <= 60; ++step) {
            const double u = from + (to - from) * step / 60;
            line.x.push_back(std::exp(u));
            line.y.push_back(budget.minimum.parabola.at(u));
        }
        lines.push_back(line);
        minima.push_back({"",
                          Mark::diamonds,
                          shade,
                          0,
                          {std::exp(budget.minimum.parabola.vertex)},
                          {budget.minimum.parabola.minimum},
                          {}});
    }
    // A few undertrained giants would squeeze everything else to the bottom.
    double low = std::numeric_limits<double>::infinity(), high = 0;
    for (const Series& line : lines)
        for (const double loss : line.y)
            low = std::min(low, loss), high = std::max(high, loss);
    if (high > low) figure.y.highest = high + 0.4 * (high - low);
    for (const auto& group : {lines, points, minima})
        figure.series.insert(figure.series.end(), group.begin(), group.end());
    return figure;
}

std::optional<Reason> too_few(const std::vector<Budget>& budgets, std::size_t usable) {
    if (usable >= fewest_budgets) return std::nullopt;
    if (budgets.empty())
        return Reason{
            Refusal::too_few_budgets,
            "no runs of different sizes share a budget (a budget's runs have the same FLOPs) run isoFLOP "
            "budgets of three or more sizes"};
    std::map<std::string, int> reasons;
    for (const Budget& budget : budgets)
        if (budget.minimum.refused) ++reasons[std::string(name(*budget.minimum.refused))];
    std::string text = std::to_string(usable) + " of " + std::to_string(budgets.size()) +
                       " budgets usable (" + std::to_string(fewest_budgets) + " are needed";
    for (const auto& [reason, count] : reasons)
        text += ", " + std::to_string(count) + " " + reason;
    return Reason{Refusal::too_few_budgets, text + ") add budgets of three or more sizes around the optimum"};
}

}  // namespace

LawFit fit_isoflop(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "isoflop";
    std::vector<Budget> budgets = gather(runs);
    find_minima(budgets);
    std::size_t repeated = 0;
    for (const Budget& budget : budgets) {
        repeated += budget.repeated;
        if (budget.minimum.refused)
            fit.warnings.push_back({*budget.minimum.refused, explain(budget)});
        else
            fit.optima.push_back(
                budget.optimum_at(budget.minimum.parabola.vertex, budget.minimum.parabola.minimum));
    }
    if (repeated > 0)
        fit.notes.push_back("of runs that share budget and size the best was taken; " +
                            std::to_string(repeated) + " others were set aside");
    if (!budgets.empty()) fit.figures.push_back(curves_figure(budgets));
    fit.refused = too_few(budgets, fit.optima.size());
    if (fit.refused) {
        if (!budgets.empty()) fit.tables.push_back(budget_table(budgets, {}));
        return fit;
    }
    const Frontier frontier = fit_frontier(fit.optima);
    std::vector<double> size_errors;
    answer_with(frontier, replicate(budgets, frontier, options, size_errors), fit);
    fit.tables.push_back(budget_table(budgets, size_errors));
    if (fit.optima.size() == fewest_budgets)
        fit.warnings.push_back(
            {Refusal::too_few_budgets,
             "a line through 3 budgets (one degree of freedom) is hardly tested add budgets"});
    return fit;
}

}  // namespace isogrid::analysis
