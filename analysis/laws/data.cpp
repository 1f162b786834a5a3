// Loss against data alone: what more tokens are worth to one model.
#include <algorithm>
#include <map>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/laws/other_variable.hpp"
#include "analysis/laws/single_variable.hpp"

namespace isogrid::analysis {
namespace {

constexpr std::size_t fewest_amounts = 6;

/// The largest size that was trained on enough different amounts of data; empty when there is none.
std::vector<const Run*> largest_ladder(const std::vector<Run>& runs) {
    std::map<double, std::vector<const Run*>> sizes;
    for (const Run& run : runs)
        if (run.tokens > 0) sizes[run.parameters].push_back(&run);
    for (auto size = sizes.rbegin(); size != sizes.rend(); ++size) {
        std::vector<double> amounts;
        for (const Run* run : size->second)
            amounts.push_back(run->tokens);
        std::sort(amounts.begin(), amounts.end());
        const auto end = std::unique(amounts.begin(), amounts.end());
        if (static_cast<std::size_t>(end - amounts.begin()) >= fewest_amounts) return size->second;
    }
    return {};
}

}  // namespace

LawFit fit_data(const Runs& runs, const FitOptions& options) {
    Ladder ladder;
    ladder.law = "data", ladder.symbol = "D";
    ladder.axis = {"tokens D", Quantity::tokens, true};
    const std::vector<Run> means = mean_runs(runs, ladder);
    ladder.used = largest_ladder(means);
    ladder.x = [](const Run& run) { return run.tokens; };
    ladder.advice = "train one size on more different amounts of data";
    const bool one_size = !ladder.used.empty();
    if (one_size) {
        const double size = ladder.used.front()->parameters;
        ladder.notes.push_back(size > 0 ? "runs of the largest size trained on " +
                                              std::to_string(fewest_amounts) + " amounts of data or more, " +
                                              format_quantity(size, Quantity::parameters) +
                                              " parameters: E holds what that size cannot learn"
                                        : "the runs do not say their size and are taken for one");
        keep_best_at_each(ladder);
    } else {
        for (const Run& run : means)
            if (run.tokens > 0) ladder.used.push_back(&run);
        keep_best_at_each(ladder);
        keep_lower_envelope(ladder);
        ladder.not_alone = [&](const std::vector<const Run*>& used) {
            return moved_by_the_other(used, size_beside_data, runs.used, options);
        };
        ladder.notes.push_back(
            "no size was trained on " + std::to_string(fewest_amounts) +
            " amounts of data: the lowest loss that any size reaches with D tokens or fewer");
    }
    return fit_single_variable(std::move(ladder), options);
}

}  // namespace isogrid::analysis
