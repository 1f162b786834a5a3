// Loss against model size alone.
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/laws/other_variable.hpp"
#include "analysis/laws/single_variable.hpp"

namespace isogrid::analysis {

namespace {

constexpr std::size_t fewest_sizes = 6;
constexpr double alike = 1.02;  // tokens in whole batches, say

/// The runs of the largest amount of data that enough sizes were trained on; empty where there is none.
std::vector<const Run*> one_amount(const std::vector<Run>& runs) {
    std::vector<const Run*> by_tokens;
    for (const Run& run : runs)
        if (run.parameters > 0 && run.tokens > 0) by_tokens.push_back(&run);
    std::stable_sort(by_tokens.begin(), by_tokens.end(),
                     [](const Run* a, const Run* b) { return a->tokens > b->tokens; });
    for (auto first = by_tokens.begin(); first != by_tokens.end();) {
        const double least = (*first)->tokens / alike;
        const auto end =
            std::find_if(first, by_tokens.end(), [&](const Run* run) { return run->tokens < least; });
        std::set<double> sizes;
        std::for_each(first, end, [&](const Run* run) { sizes.insert(run->parameters); });
        if (sizes.size() >= fewest_sizes) return {first, end};
        first = end;
    }
    return {};
}

}  // namespace

LawFit fit_size(const Runs& runs, const FitOptions& options) {
    Ladder ladder;
    ladder.law = "size", ladder.symbol = "N";
    ladder.axis = {"parameters N", Quantity::parameters, true};
    ladder.x = [](const Run& run) { return run.parameters; };
    ladder.others = [](const Run& run) { return &run.other_parameters; };
    ladder.advice = "train more sizes on as much data as there is";
    const std::vector<Run> means = mean_runs(runs, ladder);
    ladder.used = one_amount(means);
    const std::string lacked =
        "sizes that do no better than a smaller one lacked data and are left out. E holds what ";
    if (!ladder.used.empty()) {
        ladder.notes.push_back("runs of the largest amount of data that " + std::to_string(fewest_sizes) +
                               " sizes or more were trained on, " +
                               format_quantity(ladder.used.front()->tokens, Quantity::tokens) + " tokens; " +
                               lacked + "these cannot teach");
    } else {
        ladder.notes.push_back("the lowest loss that each size reaches; " + lacked + "the data cannot teach");
        ladder.not_alone = [&](const std::vector<const Run*>& used) {
            return moved_by_the_other(used, data_beside_size, runs.used, options);
        };
        for (const Run& run : means)
            if (run.parameters > 0) ladder.used.push_back(&run);
    }
    keep_best_at_each(ladder);
    keep_lower_envelope(ladder);
    return fit_single_variable(std::move(ladder), options);
}

}  // namespace isogrid::analysis
