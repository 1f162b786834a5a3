#include "analysis/laws/isoflop_path.hpp"

#include <algorithm>
#include <cmath>

namespace isogrid::analysis {
namespace {

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
std::vector<std::vector<double>> redraw_all(const MinimaPath& path, const FitOptions& options) {
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

void replicate(MinimaPath& path, const std::vector<std::vector<double>>& minima, double freedom,
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

}  // namespace

MinimaPath follow_minima(const std::vector<Budget>& budgets, MinimumBy by, const SeedNoise& noise,
                         const FitOptions& options) {
    MinimaPath path;
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

}  // namespace isogrid::analysis
