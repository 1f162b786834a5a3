#include "analysis/laws/isoflop_budgets.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "analysis/figures/numbers.hpp"
#include "analysis/fit/akima.hpp"
#include "analysis/laws/surface_runs.hpp"

namespace isogrid::analysis {
namespace {

/// One size of a budget: its best recipe, averaged over seeds.
struct Size {
    double loss = std::numeric_limits<double>::infinity();
    double tokens = 0;
    std::size_t runs = 0;
    double error = 0;
    std::vector<Repeats> repeats;
};

Size best_recipe(const std::vector<const Run*>& runs) {
    Size best;
    for (const auto& set : sets_of_seeds(runs)) {
        const auto count = static_cast<double>(set.size());
        double mean = 0, squares = 0, stated = 0;
        for (const Run* run : set) {
            mean += run->loss / count;
            const double error = run->loss_error.value_or(std::numeric_limits<double>::quiet_NaN());
            stated += error * error;
        }
        for (const Run* run : set)
            squares += (run->loss - mean) * (run->loss - mean);
        if (set.size() > 1) best.repeats.push_back({mean, squares / (count - 1), count - 1});
        if (mean < best.loss) {
            best.loss = mean;
            best.tokens = set.front()->tokens;
            best.runs = set.size();
            best.error = std::sqrt(stated) / count;
        }
    }
    return best;
}

Budget one_budget(double nominal, std::span<const Run* const> runs) {
    std::map<double, std::vector<const Run*>> sizes;
    double log_flops = 0;
    bool met = true;
    for (const Run* run : runs) {
        sizes[run->parameters].push_back(run);
        log_flops += std::log(run->flops) / static_cast<double>(runs.size());
        met = met && meets_budget(*run);
    }
    Budget budget;
    budget.flops = met ? nominal : std::exp(log_flops);
    for (const auto& [parameters, members] : sizes) {
        const Size size = best_recipe(members);
        budget.log_n.push_back(std::log(parameters));
        budget.log_d.push_back(std::log(size.tokens));
        budget.loss.push_back(size.loss);
        budget.runs.push_back(static_cast<double>(size.runs));
        budget.published_error.push_back(size.error);
        budget.repeats.insert(budget.repeats.end(), size.repeats.begin(), size.repeats.end());
        budget.set_aside += members.size() - size.runs;
    }
    return budget;
}

double degrees_of_freedom(const std::vector<Budget>& budgets) {
    double freedom = 0;
    for (const Budget& budget : budgets)
        if (!budget.near.refused)
            freedom += static_cast<double>(budget.near.last - budget.near.first + 1) - 3;
    return freedom;
}

/// Deviation of one loss about its budget's parabola as a share of the loss, pooled over the budgets.
SeedNoise scatter_about_parabolas(const std::vector<Budget>& budgets) {
    double squares = 0;
    for (const Budget& budget : budgets)
        if (const Parabola& p = budget.near.parabola; !budget.near.refused)
            squares += p.squares / (p.minimum * p.minimum);
    SeedNoise noise;
    noise.freedom = degrees_of_freedom(budgets);
    if (noise.freedom < 1) return noise;
    noise.source = SeedNoise::Source::scatter;
    noise.level = 0.5 * std::log(squares / noise.freedom);
    return noise;
}

}  // namespace

double Budget::tokens_at(double u) const {
    const auto above = std::upper_bound(log_n.begin() + 1, log_n.end() - 1, u);
    const auto i = static_cast<std::size_t>(above - log_n.begin());
    const double share = (u - log_n[i - 1]) / (log_n[i] - log_n[i - 1]);
    return std::exp(log_d[i - 1] + share * (log_d[i] - log_d[i - 1]));
}

Optimum Budget::optimum_at(double u, double lowest) const {
    return {flops, std::exp(u), tokens_at(u), lowest};
}

double Budget::spacing() const {
    return (log_n.back() - log_n.front()) / static_cast<double>(log_n.size() - 1);
}

double SeedNoise::at(double loss) const {
    return source == Source::none ? 0 : std::exp(level + slope * std::log(loss));
}

std::vector<Budget> gather_budgets(const Runs& runs) {
    std::vector<const Run*> order;
    for (const Run& run : runs.used)
        if (run.budget > 0 && run.parameters > 0 && run.tokens > 0) order.push_back(&run);
    std::stable_sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->budget < b->budget; });
    std::vector<Budget> budgets;
    for (auto begin = order.begin(); begin != order.end();) {
        const double nominal = (*begin)->budget;
        const auto end =
            std::find_if(begin, order.end(), [&](const Run* run) { return run->budget != nominal; });
        Budget budget = one_budget(nominal, std::span(begin, end));
        begin = end;
        if (budget.loss.size() >= 2) budgets.push_back(std::move(budget));
    }
    return budgets;
}

Bottom lowest_by_parabola(const Budget& budget, const std::vector<double>& loss) {
    const LocalMinimum found = find_minimum(budget.log_n, loss, budget.window);
    if (found.refused) return {found.refused};
    return {std::nullopt, found.parabola.vertex, found.parabola.minimum};
}

Bottom lowest_by_akima(const std::vector<double>& log_n, const std::vector<double>& loss) {
    if (log_n.size() < 3) return {Refusal::too_few_runs};
    std::vector<double> log_loss;
    for (const double value : loss)
        log_loss.push_back(std::log(value));
    const Akima::Point point = Akima(log_n, log_loss).minimum();
    if (point.x <= log_n.front() || point.x >= log_n.back())
        return {fit_parabola(log_n, loss).curvature > 0 ? Refusal::edge_minimum : Refusal::concave};
    return {std::nullopt, point.x, std::exp(point.y)};
}

void find_minima(std::vector<Budget>& budgets) {
    const auto fit = [&](const Window& window) {
        for (Budget& budget : budgets) {
            budget.window = window;
            budget.near = find_minimum(budget.log_n, budget.loss, window);
        }
    };
    fit({});
    if (degrees_of_freedom(budgets) < 2) fit({.points = 5, .sparse_reach = std::log(3.0)});
    for (Budget& budget : budgets) {
        budget.parabola = lowest_by_parabola(budget, budget.loss);
        budget.akima = lowest_by_akima(budget.log_n, budget.loss);
    }
}

SeedNoise fit_seed_noise(const std::vector<Repeats>& repeats) {
    SeedNoise noise;
    double squares = 0, least = std::numeric_limits<double>::infinity(), most = 0;
    for (const Repeats& set : repeats) {
        squares += set.freedom * set.variance / (set.mean * set.mean);
        noise.freedom += set.freedom;
        least = std::min(least, set.mean), most = std::max(most, set.mean);
    }
    if (!(squares > 0)) return noise;
    noise.source = SeedNoise::Source::repeats;
    noise.level = 0.5 * std::log(squares / noise.freedom);
    if (noise.freedom < 8 || most < 1.25 * least) return noise;
    // A variance with f degrees of freedom is sigma^2 chi^2(f) / f, of the gamma family with log link: its
    // likelihood is maximized by weighted lines through log sigma^2 + (variance / sigma^2 - 1) (McCullagh and
    // Nelder 1989, section 2.5).
    for (int step = 0; step < 100; ++step) {
        double total = 0, mean_x = 0, mean_z = 0;
        std::vector<double> z;
        for (const Repeats& set : repeats) {
            const double sigma = noise.at(set.mean);
            z.push_back(2 * std::log(sigma) + set.variance / (sigma * sigma) - 1);
            total += set.freedom;
            mean_x += set.freedom * std::log(set.mean), mean_z += set.freedom * z.back();
        }
        mean_x /= total, mean_z /= total;
        double xx = 0, xz = 0;
        for (std::size_t i = 0; i < repeats.size(); ++i) {
            const double dx = std::log(repeats[i].mean) - mean_x;
            xx += repeats[i].freedom * dx * dx, xz += repeats[i].freedom * dx * (z[i] - mean_z);
        }
        const double slope = 0.5 * xz / xx, level = 0.5 * mean_z - slope * mean_x;
        const double change = std::abs(slope - noise.slope);
        noise.slope = 0.5 * (noise.slope + slope);  // half steps: whole ones may swing
        noise.level = 0.5 * (noise.level + level);
        if (change < 1e-9) break;
    }
    noise.grows = true;
    return noise;
}

SeedNoise measure_noise(std::vector<Budget>& budgets) {
    std::vector<Repeats> repeats;
    bool stated = !budgets.empty();
    for (const Budget& budget : budgets) {
        repeats.insert(repeats.end(), budget.repeats.begin(), budget.repeats.end());
        for (const double error : budget.published_error)
            stated = stated && std::isfinite(error);
    }
    constexpr double fewest = 3;  // degrees of freedom, below which repeats say less than the scatter
    SeedNoise noise = fit_seed_noise(repeats);
    const bool repeated = noise.source == SeedNoise::Source::repeats && noise.freedom >= fewest;
    if (!repeated && stated) {
        noise = {SeedNoise::Source::stated, 0, 1, std::numeric_limits<double>::infinity()};
        for (Budget& budget : budgets)
            budget.error = budget.published_error;
        return noise;
    }
    if (!repeated) noise = scatter_about_parabolas(budgets);
    for (Budget& budget : budgets) {
        budget.error.clear();
        for (std::size_t i = 0; i < budget.loss.size(); ++i)
            budget.error.push_back(noise.at(budget.loss[i]) / (repeated ? std::sqrt(budget.runs[i]) : 1));
    }
    return noise;
}

std::string explain(const Budget& budget, MinimumBy by) {
    const std::string which = "budget " + format_quantity(budget.flops, Quantity::flops) + ": ";
    const std::size_t lowest = budget.near.lowest;
    switch (budget.bottom(by).refused.value()) {
        case Refusal::too_few_runs:
            return which + std::to_string(budget.loss.size()) + " sizes (a minimum needs 3) run more sizes";
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

}  // namespace isogrid::analysis
