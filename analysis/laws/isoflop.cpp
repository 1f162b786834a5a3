// Approach 2 of Hoffmann et al. 2022: the best model size of each budget, and how it grows with the budget.
#include <algorithm>
#include <cmath>
#include <map>

#include <boost/math/distributions/chi_squared.hpp>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/frontier.hpp"
#include "analysis/laws/isoflop_budgets.hpp"
#include "analysis/laws/isoflop_figures.hpp"
#include "analysis/laws/isoflop_path.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/laws/surface_runs.hpp"

namespace isogrid::analysis {
namespace {

/// How near the runs came to budgets: `C of the 35 runs lies in 5 groups, the widest 4.2% wide`. Nothing
/// where C forms no groups.
std::string groups_of_compute(const std::vector<Run>& runs) {
    constexpr double apart = 1.1;  // neighbours in C, of different groups
    constexpr double wide = 1.5;   // too much to have been meant for one budget
    std::vector<double> flops;
    for (const Run& run : runs)
        if (run.budget > 0) flops.push_back(run.budget);
    std::sort(flops.begin(), flops.end());
    std::size_t groups = 0;
    double widest = 1, from = 0;
    for (std::size_t i = 0; i < flops.size(); ++i) {
        if (i == 0 || flops[i] > apart * flops[i - 1]) ++groups, from = flops[i];
        widest = std::max(widest, flops[i] / from);
    }
    if (groups == 0 || 2 * groups > flops.size() || widest > wide) return "";
    return "C of the " + std::to_string(flops.size()) + " runs lies in " + std::to_string(groups) +
           (groups == 1 ? " group, " : " groups, the widest ") +
           format_quantity(widest - 1, Quantity::percent) + " wide";
}

/// Runs that share no budget with another size are in no minimum: somebody may believe that they are.
void tell_strays(const Runs& runs, const std::vector<Budget>& budgets, LawFit& fit) {
    std::size_t gathered = 0, all = 0;
    for (const Run& run : runs.used)
        all += run.budget > 0;
    for (const Budget& budget : budgets) {
        gathered += budget.set_aside;
        for (const double averaged : budget.runs)
            gathered += static_cast<std::size_t>(averaged);
    }
    if (budgets.empty() || gathered == all) return;
    const std::string groups = groups_of_compute(runs.used);
    fit.notes.push_back(std::to_string(all - gathered) + " of " + std::to_string(all) +
                        " runs are left out: they share no budget with another size (runs of a budget lie "
                        "within 2% of C" +
                        (groups.empty() ? ")" : "; " + groups + ")"));
}

std::optional<Reason> too_few(const Runs& runs, const std::vector<Budget>& budgets, const MinimaPath& path) {
    const std::size_t usable = path.usable.size();
    if (usable >= fewest_budgets) return std::nullopt;
    if (budgets.empty()) {
        const std::string groups = groups_of_compute(runs.used);
        return Reason{Refusal::too_few_budgets,
                      "no runs of different sizes share a budget (a budget's runs have the same FLOPs" +
                          (groups.empty() ? "" : ": " + groups + ", and runs of a budget lie within 2%") +
                          ") run isoFLOP budgets of three or more sizes"};
    }
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
/// have both; NaN without such.
double unsteadiness(const MinimaPath& akima, const MinimaPath& parabola) {
    std::vector<double> ratios;
    for (std::size_t a = 0; a < akima.usable.size(); ++a)
        for (std::size_t p = 0; p < parabola.usable.size(); ++p)
            if (akima.usable[a] == parabola.usable[p] && parabola.size_errors[p] > 0)
                ratios.push_back(akima.size_errors[a] / parabola.size_errors[p]);
    return median(std::move(ratios));
}

/// A curve through every loss takes its noise for shape. Three signs say that it does: fewer than three
/// budgets have a minimum on it; the minima lie farther off their power law than the grid's spacing explains
/// (chi-square at 1%); or redrawn losses move them four times as far as those of parabolas.
bool parabola_is_better(const MinimaPath& akima, const MinimaPath& parabola,
                        std::vector<std::string>& notes) {
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
    fit.redrawn = "losses, as far as seeds move them, and optima, as far as they lie off their power laws";
    if (auto mixed = mixes_dense_and_sparse(runs.used)) fit.warnings.push_back(std::move(*mixed));
    std::vector<Budget> budgets = gather_budgets(runs);
    find_minima(budgets);
    const SeedNoise noise = measure_noise(budgets);
    MinimaPath path = follow_minima(budgets, MinimumBy::akima, noise, options);
    MinimaPath second = follow_minima(budgets, MinimumBy::parabola, noise, options);
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
    tell_strays(runs, budgets, fit);
    if (set_aside > 0)
        fit.notes.push_back("of runs that share budget and size the best was taken; " +
                            std::to_string(set_aside) + " others were set aside" +
                            (know(runs, Role::seed) ? ""
                                                    : " (where they differ by their seed alone, name seed= "
                                                      "beside the other columns, and their mean counts)"));
    if (!budgets.empty()) {
        fit.figures.push_back(curves_figure(budgets, path.by));
        fit.tables.push_back(budget_table(budgets, path));
    }
    if ((fit.refused = too_few(runs, budgets, path))) return fit;
    answer_with(path.frontier, path.replicates, fit);
    fit.objective = "weighted least squares of log N";
    double log_loss = 0;
    for (const Optimum& optimum : path.optima)
        log_loss += std::log(optimum.loss) / static_cast<double>(path.optima.size());
    fit.notes.push_back(describe(noise, std::exp(log_loss)));
    fit.tables.push_back(method_table({&path, &second}));
    tell_frontier_validation(path.optima, path.weights, fit);
    if (fit.optima.size() == fewest_budgets)
        fit.warnings.push_back(
            {Refusal::too_few_budgets,
             "a line through 3 budgets (one degree of freedom) is hardly tested add budgets"});
    return fit;
}

}  // namespace isogrid::analysis
