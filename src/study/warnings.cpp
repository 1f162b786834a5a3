// Warnings of a grid, from its budgets down to its trials.
#include "study/warnings.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <set>
#include <utility>

#include "base/wording.hpp"

namespace isogrid::study {

namespace {

constexpr std::size_t fewest_budgets = 4;
constexpr double fewest_decades = 1.5;
constexpr std::size_t fewest_sizes = 5;
constexpr double narrowest_range = 4;  // largest over smallest tokens per parameter in a budget
constexpr double most_epochs = 1.01;   // isogrid-fit leaves runs that repeat more out of laws of fresh text
constexpr std::int64_t fewest_warmup_steps = 10;
constexpr double longest_warmup = 0.5;  // of a trial's steps

struct BudgetSummary {
    std::set<std::int64_t> sizes;    // parameters: repeats under other seeds are no further sizes
    double lowest = 0, highest = 0;  // tokens per parameter
};

std::map<double, BudgetSummary> summarize(const std::vector<PlannedTrial>& trials) {
    std::map<double, BudgetSummary> budgets;
    for (const PlannedTrial& planned : trials) {
        const auto& studies = planned.studies;
        if (std::find(studies.begin(), studies.end(), "isoflop") == studies.end()) continue;
        BudgetSummary& budget = budgets[planned.budget];
        const double ratio = planned.tokens_per_parameter();
        budget.lowest = budget.sizes.empty() ? ratio : std::min(budget.lowest, ratio);
        budget.highest = std::max(budget.highest, ratio);
        budget.sizes.insert(planned.parameters.total());
    }
    return budgets;
}

std::string share(std::size_t count, const std::vector<PlannedTrial>& trials) {
    return std::to_string(count) + " of " + std::to_string(trials.size()) + " trials";
}

void warn_of_budgets(const std::map<double, BudgetSummary>& budgets, std::vector<std::string>& warnings) {
    if (budgets.empty()) return;
    if (budgets.size() < fewest_budgets) {
        warnings.push_back("too few budgets: " + std::to_string(budgets.size()) +
                           " (a power law through fewer than " + std::to_string(fewest_budgets) +
                           " points cannot be tested) add budgets");
    }
    const double decades = std::log10(budgets.rbegin()->first / budgets.begin()->first);
    if (decades < fewest_decades) {
        warnings.push_back("the budgets span " + base::rounded(decades) +
                           " decades (exponents from less than " + base::rounded(fewest_decades) +
                           " are mostly noise) spread the budgets further");
    }
}

/// What keeps a budget from having more sizes.
std::string way_to_more_sizes(std::size_t sizes, const Job& job) {
    if (static_cast<std::int64_t>(sizes) >= job.isoflop.sizes)
        return "raise isoflop.sizes to " + std::to_string(fewest_sizes) + " or more";
    const std::set<std::int64_t> widths(job.ladder.widths.begin(), job.ladder.widths.end());
    if (sizes >= widths.size()) return "add widths to model.widths";
    return "widen isoflop.tokens_per_parameter, or add widths between those that it lets pass";
}

/// Budgets with the same fault, which is told once: `budget 1e+12` and what ails it, or all of them.
struct Ailing {
    std::vector<std::string> budgets, numbers;

    void add(double budget, std::string number) {
        budgets.push_back(base::as_written(budget));
        numbers.push_back(std::move(number));
    }
    std::string told(const std::string& of_one, const std::string& of_many) const {
        if (budgets.size() == 1) return "budget " + budgets.front() + " " + of_one + numbers.front();
        std::vector<std::string> each;
        for (std::size_t i = 0; i < budgets.size(); ++i)
            each.push_back(numbers[i] + " at " + budgets[i]);
        return std::to_string(budgets.size()) + " budgets " + of_many + base::listed(each);
    }
};

void warn_of_sizes(const Job& job, const std::map<double, BudgetSummary>& budgets,
                   std::vector<std::string>& warnings) {
    std::map<std::string, Ailing> too_few;  // by what to do
    Ailing too_narrow;
    for (const auto& [flops, budget] : budgets) {
        const std::size_t sizes = budget.sizes.size();
        if (sizes < fewest_sizes) too_few[way_to_more_sizes(sizes, job)].add(flops, std::to_string(sizes));
        if (sizes > 1 && budget.highest < narrowest_range * budget.lowest)
            too_narrow.add(flops, base::rounded(budget.lowest) + " to " + base::rounded(budget.highest));
    }
    for (const auto& [what_to_do, ailing] : too_few)
        warnings.push_back(ailing.told("has too few sizes: ", "have too few sizes: ") +
                           " (a parabola needs " + std::to_string(fewest_sizes) + " to show its own error) " +
                           what_to_do);
    if (!too_narrow.budgets.empty())
        warnings.push_back(too_narrow.told("covers too narrow a range of tokens per parameter: ",
                                           "cover too narrow a range of tokens per parameter: ") +
                           " (less than a factor of " + base::rounded(narrowest_range) +
                           " may not hold the optimum) widen isoflop.tokens_per_parameter or the ladder");
}

void warn_of_epochs(const CorpusFacts& corpus, const std::vector<PlannedTrial>& trials,
                    std::vector<std::string>& warnings) {
    std::size_t count = 0;
    const PlannedTrial* longest = nullptr;
    for (const PlannedTrial& planned : trials) {
        if (planned.trial.unique_tokens > 0) continue;  // repeats on purpose
        const double allowed = most_epochs * static_cast<double>(corpus.training_tokens);
        if (static_cast<double>(planned.trial.tokens()) <= allowed) continue;
        ++count;
        if (longest == nullptr || planned.trial.tokens() > longest->trial.tokens()) longest = &planned;
    }
    if (longest == nullptr) return;
    const double epochs =
        static_cast<double>(longest->trial.tokens()) / static_cast<double>(corpus.training_tokens);
    warnings.push_back("the training part is read more than once in " + share(count, trials) + " (" +
                       longest->name + ": " + base::rounded(epochs) +
                       " times; isogrid-fit leaves them out of laws of fresh text, and beyond 4 times a text "
                       "teaches less) tokenize more text, or lower the budgets or "
                       "isoflop.tokens_per_parameter");
}

void warn_of_short_warmup(const std::vector<PlannedTrial>& trials, std::vector<std::string>& warnings) {
    std::size_t count = 0;
    const PlannedTrial* shortest = nullptr;
    for (const PlannedTrial& planned : trials) {
        const std::int64_t steps = planned.trial.schedule.warmup_steps;
        if (steps >= fewest_warmup_steps) continue;
        ++count;
        if (shortest == nullptr || steps < shortest->trial.schedule.warmup_steps) shortest = &planned;
    }
    if (shortest == nullptr) return;
    warnings.push_back("the warm-up is shorter than " + std::to_string(fewest_warmup_steps) + " steps in " +
                       share(count, trials) + " (" + shortest->name + ": " +
                       std::to_string(shortest->trial.schedule.warmup_steps) + " of " +
                       std::to_string(shortest->trial.steps) +
                       "; AdamW's averages have no time to settle) raise recipe.warmup_fraction or lower "
                       "recipe.batch");
}

/// A warm-up of so many tokens, the same for all, may leave short trials nothing to come down in.
void warn_of_long_warmup(const std::vector<PlannedTrial>& trials, std::vector<std::string>& warnings) {
    std::size_t count = 0;
    const PlannedTrial* worst = nullptr;
    const auto part = [](const PlannedTrial& planned) {  // rounding to a whole step is forgiven
        return planned.trial.part_done(std::max<std::int64_t>(0, planned.trial.schedule.warmup_steps - 1));
    };
    for (const PlannedTrial& planned : trials) {
        if (part(planned) <= longest_warmup) continue;
        ++count;
        if (worst == nullptr || part(planned) > part(*worst)) worst = &planned;
    }
    if (worst == nullptr) return;
    warnings.push_back("the warm-up takes more than half of " + share(count, trials) + " (" + worst->name +
                       ": " + std::to_string(worst->trial.schedule.warmup_steps) + " of " +
                       std::to_string(worst->trial.steps) +
                       " steps; their losses are those of a learning rate that hardly came down) shorten it, "
                       "or lengthen these trials");
}

}  // namespace

std::vector<std::string> grid_warnings(const Job& job, const CorpusFacts& corpus,
                                       const std::vector<PlannedTrial>& trials) {
    const std::map<double, BudgetSummary> budgets = summarize(trials);
    std::vector<std::string> warnings;
    warn_of_budgets(budgets, warnings);
    warn_of_sizes(job, budgets, warnings);
    warn_of_epochs(corpus, trials, warnings);
    warn_of_short_warmup(trials, warnings);
    warn_of_long_warmup(trials, warnings);
    if (job.scale < 1)
        warnings.push_back("every budget and token count is multiplied by " + base::as_written(job.scale) +
                           " (study.scale; budgets may be missed by more than 1%, targets not reached, laws "
                           "refused) run it without for an answer");
    return warnings;
}

}  // namespace isogrid::study
