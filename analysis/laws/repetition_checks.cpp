#include "analysis/laws/repetition_checks.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/alike.hpp"
#include "analysis/laws/surface_runs.hpp"
#include "base/wording.hpp"

namespace isogrid::analysis {
namespace {

/// A run of one size on the same different tokens that was trained longer than another.
struct Neighbours {
    const Run* shorter = nullptr;
    const Run* longer = nullptr;

    double rise() const { return longer->loss / shorter->loss - 1; }
};

/// The best run at each amount of tokens, by rising tokens.
std::vector<const Run*> best_at_each(std::vector<const Run*> runs) {
    std::ranges::stable_sort(runs, {}, &Run::tokens);
    std::vector<const Run*> best;
    for (const Run* run : runs)
        if (best.empty() || !alike(best.back()->tokens, run->tokens))
            best.push_back(run);
        else if (run->loss < best.back()->loss)
            best.back() = run;
    return best;
}

std::vector<Neighbours> neighbours_of(const std::vector<Run>& runs) {
    std::map<std::pair<double, double>, std::vector<const Run*>> ladders;  // by size and different tokens
    for (const Run& run : runs)
        ladders[{run.parameters, std::min(run.unique_tokens.value_or(run.tokens), run.tokens)}].push_back(
            &run);
    std::vector<Neighbours> pairs;
    for (const auto& [key, ladder] : ladders) {
        const auto best = best_at_each(ladder);
        for (std::size_t i = 1; i < best.size(); ++i)
            pairs.push_back({best[i - 1], best[i]});
    }
    return pairs;
}

}  // namespace

std::optional<Reason> harm_of_repetition(const std::vector<Run>& runs) {
    constexpr double clearly = 0.01;
    constexpr std::size_t named = 3;
    const std::vector<Run> means = averaged_over_seeds(runs);
    std::vector<Neighbours> harmed = neighbours_of(means);
    const std::size_t pairs = harmed.size();
    std::erase_if(harmed, [](const Neighbours& pair) { return pair.rise() <= clearly; });
    if (harmed.empty()) return std::nullopt;
    std::ranges::stable_sort(harmed, std::greater{}, &Neighbours::rise);
    std::vector<std::string> worst;
    for (const Neighbours& pair : std::span(harmed).first(std::min(named, harmed.size())))
        worst.push_back(pair.longer->name + " (" + format_quantity(pair.rise(), Quantity::percent) +
                        " above " + pair.shorter->name + ")");
    return Reason{Refusal::poor_prediction,
                  "in " + std::to_string(harmed.size()) + " of " + std::to_string(pairs) +
                      " pairs of neighbours, of one size on the same different tokens, the run trained "
                      "longer is worse by more than 1%, most of all " +
                      base::listed(worst) +
                      " (by this law repetition only stops to help) leave out runs that overfit, which do "
                      "not belong into this fit"};
}

std::optional<Reason> misses_more_epochs(const std::vector<Cut>& cuts) {
    constexpr double much = 0.05;
    const double mean = mean_error(cuts);
    if (!(mean > much)) return std::nullopt;
    const double worst = std::ranges::max_element(cuts, {}, &Cut::worst)->worst;
    return Reason{Refusal::poor_prediction,
                  "runs of more epochs than were fitted are predicted with an error of " +
                      format_quantity(mean, Quantity::percent) + " on average over the cuts, " +
                      format_quantity(worst, Quantity::percent) +
                      " at worst (the runs do not follow this law from few epochs to many) do not go beyond "
                      "the epochs of the runs"};
}

}  // namespace isogrid::analysis
