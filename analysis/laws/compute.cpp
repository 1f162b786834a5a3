// Loss against compute alone: the frontier of the best runs.
#include <algorithm>
#include <map>
#include <set>

#include "analysis/laws/law.hpp"
#include "analysis/laws/single_variable.hpp"

namespace isogrid::analysis {
namespace {

/// Each isoFLOP budget's best run, unless its smallest or largest size does best: better ones may lie beyond.
/// A budget is runs of three or more sizes.
struct Budgets {
    std::vector<const Run*> best, left_out;
    std::size_t at_edge = 0;
};
Budgets best_of_budgets(const std::vector<Run>& runs) {
    std::map<double, std::vector<const Run*>> budgets;
    for (const Run& run : runs)
        if (run.flops > 0 && run.budget > 0) budgets[run.budget].push_back(&run);
    Budgets found;
    for (const auto& [budget, members] : budgets) {
        std::set<double> sizes;
        for (const Run* run : members)
            sizes.insert(run->parameters);
        if (sizes.size() < 3) continue;
        const Run* best = *std::min_element(members.begin(), members.end(),
                                            [](const Run* a, const Run* b) { return a->loss < b->loss; });
        const bool edge = best->parameters == *sizes.begin() || best->parameters == *sizes.rbegin();
        found.at_edge += edge;
        (edge ? found.left_out : found.best).push_back(best);
    }
    return found;
}

}  // namespace

LawFit fit_compute(const Runs& runs, const FitOptions& options) {
    Ladder ladder;
    ladder.law = "compute", ladder.symbol = "C";
    ladder.axis = {"training compute C (FLOPs)", Quantity::flops, true};
    ladder.x = [](const Run& run) { return run.flops; };
    ladder.others = [](const Run& run) { return &run.other_flops; };
    ladder.advice = "run more budgets, or larger ones";
    const std::vector<Run> means = mean_runs(runs, ladder);
    Budgets budgets = best_of_budgets(means);
    if (budgets.best.size() + budgets.left_out.size() >= 3) {
        ladder.used = std::move(budgets.best);
        ladder.left_out = std::move(budgets.left_out);
        ladder.notes.push_back("the best run of each isoFLOP budget" +
                               (budgets.at_edge == 0
                                    ? std::string()
                                    : "; " + std::to_string(budgets.at_edge) +
                                          " budgets whose smallest or largest size does best are left out"));
        keep_best_at_each(ladder);
    } else {
        for (const Run& run : means)
            if (run.flops > 0) ladder.used.push_back(&run);
        keep_best_at_each(ladder);
        keep_lower_envelope(ladder);
        ladder.notes.push_back("the lowest loss that any run reaches with C FLOPs or fewer");
    }
    return fit_single_variable(std::move(ladder), options);
}

}  // namespace isogrid::analysis
