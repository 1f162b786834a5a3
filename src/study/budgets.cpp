#include "study/budgets.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "base/wording.hpp"
#include "study/ladder.hpp"
#include "study/scale.hpp"
#include "study/spread.hpp"

namespace isogrid::study {

namespace {

/// Rounding to whole steps is off by half a step at most: from 50 steps on, by 1% of the budget at most.
constexpr double fewest_steps = 50;

/// A shape of the ladder with its costs, budgets apart.
struct Rung {
    Shape shape;
    ParameterCounts parameters;
    FlopsPerToken flops_per_token;
    double flops_per_step = 0;  // under the job's convention
};

/// A rung with the whole number of steps nearest to a budget. Kept as doubles until it is chosen: the
/// quotient of any two allowed numbers need not fit an integer.
struct Candidate {
    const Rung* rung = nullptr;
    double steps = 0, tokens_per_parameter = 0;
};

std::vector<Rung> rungs_of(const BudgetStudy& study, const TrialMaker& maker) {
    const Job& job = maker.job();
    std::vector<Rung> rungs;
    for (const Shape& shape : ladder_shapes(job.ladder, maker.corpus().vocabulary)) {
        const FlopsPerToken flops = maker.flops_per_token(shape);
        const auto tokens_per_step = static_cast<double>(study.recipe.batch * shape.context);
        rungs.push_back(
            {shape, count_parameters(shape), flops, flops.under(job.isoflop.convention) * tokens_per_step});
    }
    std::sort(rungs.begin(), rungs.end(), [](const Rung& one, const Rung& other) {
        return one.parameters.total() < other.parameters.total();
    });
    return rungs;
}

Candidate candidate_of(const Rung& rung, double budget, const Recipe& recipe) {
    const double steps = std::round(budget / rung.flops_per_step);
    const double tokens = steps * static_cast<double>(recipe.batch * rung.shape.context);
    return {&rung, steps, tokens / static_cast<double>(rung.parameters.total())};
}

std::vector<Candidate> chosen_for(double budget, const std::vector<Rung>& rungs, const BudgetStudy& study,
                                  const Job& job) {
    std::vector<Candidate> inside;
    std::vector<double> log_sizes;
    for (const Rung& rung : rungs) {
        const Candidate candidate = candidate_of(rung, budget, study.recipe);
        if (candidate.tokens_per_parameter < job.isoflop.tokens_per_parameter_low ||
            candidate.tokens_per_parameter > job.isoflop.tokens_per_parameter_high)
            continue;
        inside.push_back(candidate);
        log_sizes.push_back(std::log(static_cast<double>(rung.parameters.total())));
    }
    std::vector<Candidate> chosen;
    for (const std::size_t position : spread_evenly(log_sizes, static_cast<std::size_t>(study.sizes)))
        chosen.push_back(inside[position]);
    return chosen;
}

/// Adds at most one fault of a budget: the first of the reasons for which it cannot be met.
bool check_budget(double budget, const std::string& key, const std::vector<Rung>& rungs,
                  const std::vector<Candidate>& chosen, const Recipe& recipe, const Job& job,
                  JobFaults& faults) {
    const Rung& cheapest = *std::min_element(
        rungs.begin(), rungs.end(),
        [](const Rung& one, const Rung& other) { return one.flops_per_step < other.flops_per_step; });
    if (budget < cheapest.flops_per_step) {
        faults.add(key, base::as_written(budget) + " is less than one step",
                   "a step of " + label(cheapest.shape) + " costs " + base::rounded(cheapest.flops_per_step),
                   "raise it");
        return false;
    }
    if (chosen.empty()) {
        const Candidate largest = candidate_of(rungs.back(), budget, recipe);
        const Candidate smallest = candidate_of(rungs.front(), budget, recipe);
        faults.add(key, base::as_written(budget) + " suits no shape of the ladder",
                   "tokens per parameter go from " + base::rounded(largest.tokens_per_parameter) + " for " +
                       label(largest.rung->shape) + " to " + base::rounded(smallest.tokens_per_parameter) +
                       " for " + label(smallest.rung->shape) +
                       ", none inside isoflop.tokens_per_parameter = [" +
                       base::as_written(job.isoflop.tokens_per_parameter_low) + ", " +
                       base::as_written(job.isoflop.tokens_per_parameter_high) + "]",
                   "change it, the range, or the widths");
        return false;
    }
    const Rung& dearest =
        *std::max_element(chosen.begin(), chosen.end(), [](const auto& one, const auto& other) {
             return one.rung->flops_per_step < other.rung->flops_per_step;
         })->rung;
    std::int64_t largest = recipe.batch;
    for (const BatchChange& change : recipe.batch_schedule)
        largest = std::max(largest, change.batch);
    const double flops_per_step =
        dearest.flops_per_step * static_cast<double>(largest) / static_cast<double>(recipe.batch);
    const double steps = budget / flops_per_step;
    const double least = scaled_least(fewest_steps, job);
    if (steps < least) {
        faults.add(
            key,
            base::as_written(budget) + " is less than " + base::rounded(least) +
                (least > 1 ? " steps of " : " step of ") + label(dearest.shape),
            base::rounded(steps) + " steps, rounded to whole ones, may miss the budget by more than 1%",
            "raise it to " + base::rounded(1.01 * least * flops_per_step) + ", or lower recipe.batch");
        return false;
    }
    return true;
}

/// Two budgets so near each other that rounding makes their trials the same would be one in every archive.
bool check_apart(double budget, const std::string& key, const std::vector<Candidate>& chosen,
                 std::set<std::pair<const Rung*, double>>& taken, JobFaults& faults) {
    for (const Candidate& candidate : chosen) {
        if (taken.emplace(candidate.rung, candidate.steps).second) continue;
        faults.add(
            key, base::as_written(budget) + " trains what a budget before it trains",
            "both are " + base::as_written(candidate.steps) + " steps of " + label(candidate.rung->shape),
            "spread the budgets further");
        return false;
    }
    return true;
}

void expand_budget(std::size_t index, const BudgetStudy& study, const std::vector<Candidate>& chosen,
                   const TrialMaker& maker, Trials& trials) {
    for (const Candidate& candidate : chosen)
        for (std::int64_t seed = 0; seed < study.seeds; ++seed) {
            const Shape& shape = candidate.rung->shape;
            const auto tokens_per_step = static_cast<double>(study.recipe.batch * shape.context);
            Setting setting{.shape = shape,
                            .recipe = study.recipe,
                            .tokens = candidate.steps * tokens_per_step,
                            .seed = seed_of(maker.job(), seed)};
            if (study.truncated)
                setting.horizon_steps = std::llround(study.budgets.back() / candidate.rung->flops_per_step);
            std::string name = study.prefix + std::to_string(index + 1) + "-w" + std::to_string(shape.width) +
                               "-d" + std::to_string(shape.depth);
            if (study.seeds > 1) name += "-s" + std::to_string(seed + 1);
            PlannedTrial planned = maker.make(std::move(name), study.table, setting);
            planned.budget = study.budgets[index];
            planned.variant = study.variant;
            trials.push_back(std::move(planned));
        }
}

}  // namespace

Trials expand_budgets(const BudgetStudy& study, const TrialMaker& maker, JobFaults& faults) {
    Trials trials;
    const std::vector<Rung> rungs = rungs_of(study, maker);
    std::set<std::pair<const Rung*, double>> taken;  // with how many steps
    for (std::size_t i = 0; i < study.budgets.size(); ++i) {
        const std::string key = study.table + ".budgets[" + std::to_string(i + 1) + "]";
        if (!faults.sound({key})) continue;
        const std::vector<Candidate> chosen = chosen_for(study.budgets[i], rungs, study, maker.job());
        if (check_budget(study.budgets[i], key, rungs, chosen, study.recipe, maker.job(), faults) &&
            check_apart(study.budgets[i], key, chosen, taken, faults))
            expand_budget(i, study, chosen, maker, trials);
    }
    return trials;
}

}  // namespace isogrid::study
