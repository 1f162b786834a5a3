#include "analysis/laws/repetition_checks.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/alike.hpp"
#include "analysis/laws/surface_runs.hpp"
#include "base/wording.hpp"

namespace isogrid::analysis {
namespace {

double unique_tokens_of(const Run& run) {
    return std::min(run.unique_tokens.value_or(run.tokens), run.tokens);
}

/// What runs share that differ in their tokens alone: size and different tokens.
std::pair<double, double> ladder_of(const Run& run) {
    return {run.parameters, unique_tokens_of(run)};
}

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

/// Above 0 where the law expects more than the run came to.
double missed_by(const RepetitionLaw& law, const Run& run) {
    return law.loss(run.parameters, run.tokens, unique_tokens_of(run)) / run.loss - 1;
}

}  // namespace

Harm harm_of_repetition(const std::vector<Run>& runs) {
    constexpr double clearly = 0.01;
    const std::vector<Run> means = averaged_over_seeds(runs);
    std::map<std::pair<double, double>, std::vector<const Run*>> ladders;
    for (const Run& run : means)
        ladders[ladder_of(run)].push_back(&run);
    Harm harm;
    for (const auto& [key, ladder] : ladders) {
        const Run* lowest = nullptr;
        for (const Run* run : best_at_each(ladder)) {
            harm.compared += lowest != nullptr;
            if (lowest != nullptr && run->loss > (1 + clearly) * lowest->loss)
                harm.runs.push_back({*run, lowest->name, run->loss / lowest->loss - 1});
            if (lowest == nullptr || run->loss < lowest->loss) lowest = run;
        }
    }
    std::ranges::stable_sort(harm.runs, std::greater{}, &HarmedRun::rise);
    harm.unharmed = runs;
    std::erase_if(harm.unharmed, [&](const Run& run) {
        return std::ranges::any_of(harm.runs, [&](const HarmedRun& harmed) {
            return ladder_of(run) == ladder_of(harmed.run) && alike(run.tokens, harmed.run.tokens);
        });
    });
    return harm;
}

Reason describe_harm(const Harm& harm, const RepetitionLaw& law, double decay, double decay_without) {
    constexpr std::size_t named = 3;
    double of_harmed = 0, of_others = 0;
    std::vector<std::string> worst;
    for (const HarmedRun& harmed : harm.runs) {
        of_harmed += missed_by(law, harmed.run) / static_cast<double>(harm.runs.size());
        if (worst.size() < named)
            worst.push_back(harmed.run.name + " (" + format_quantity(harmed.rise, Quantity::percent) +
                            " above " + harmed.shorter + ")");
    }
    for (const Run& run : harm.unharmed)
        of_others += std::abs(missed_by(law, run)) / static_cast<double>(harm.unharmed.size());
    std::string without;
    if (!std::isnan(decay_without)) {
        const auto in_words = [](double value) {
            return std::isfinite(value) ? format_significant(value, 3) : std::string("without limit");
        };
        without =
            "; without them R_D* would be " + in_words(decay_without) + " instead of " + in_words(decay);
    }
    return {
        Refusal::poor_prediction,
        std::to_string(harm.runs.size()) + " of " + std::to_string(harm.compared) +
            " runs are worse by more than 1% than one of the same size that was trained for less on the "
            "same different tokens, most of all " +
            base::listed(worst) + " (by this law repetition only stops to help: of these runs it expects " +
            format_quantity(std::abs(of_harmed), Quantity::percent) + (of_harmed < 0 ? " less" : " more") +
            " than they came to, and misses the others by " + format_quantity(of_others, Quantity::percent) +
            without + ") leave out runs that overfit, which do not belong into this fit"};
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
