// The isoFLOP grid (Hoffmann et al. 2022, section 3.2): at each budget, shapes trained on budget / cost
// tokens.
#include "study/grid.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <string>
#include <utility>

#include "study/wording.hpp"

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

std::vector<Rung> rungs_of(const Job& job, const CorpusFacts& corpus,
                           const ExactFlopsPerToken& exact_flops_per_token) {
    std::vector<Rung> rungs;
    for (const Shape& shape : ladder_shapes(job.ladder, corpus.vocabulary)) {
        const FlopsPerToken flops = count_flops(shape, exact_flops_per_token(shape));
        const auto tokens_per_step = static_cast<double>(job.recipe.batch * shape.context);
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

std::vector<Candidate> chosen_for(double budget, const std::vector<Rung>& rungs, const Job& job) {
    std::vector<Candidate> inside;
    std::vector<double> log_sizes;
    for (const Rung& rung : rungs) {
        const Candidate candidate = candidate_of(rung, budget, job.recipe);
        if (candidate.tokens_per_parameter < job.isoflop.tokens_per_parameter_low ||
            candidate.tokens_per_parameter > job.isoflop.tokens_per_parameter_high)
            continue;
        inside.push_back(candidate);
        log_sizes.push_back(std::log(static_cast<double>(rung.parameters.total())));
    }
    std::vector<Candidate> chosen;
    for (const std::size_t position : spread_evenly(log_sizes, static_cast<std::size_t>(job.isoflop.sizes)))
        chosen.push_back(inside[position]);
    return chosen;
}

/// Adds at most one fault of a budget: the first of the reasons for which it cannot be met.
bool check_budget(double budget, const std::string& key, const std::vector<Rung>& rungs,
                  const std::vector<Candidate>& chosen, const Job& job, JobFaults& faults) {
    const Rung& cheapest = *std::min_element(
        rungs.begin(), rungs.end(),
        [](const Rung& one, const Rung& other) { return one.flops_per_step < other.flops_per_step; });
    if (budget < cheapest.flops_per_step) {
        faults.add(key, as_written(budget) + " is less than one step",
                   "a step of " + label(cheapest.shape) + " costs " + rounded(cheapest.flops_per_step),
                   "raise it");
        return false;
    }
    if (chosen.empty()) {
        const Candidate largest = candidate_of(rungs.back(), budget, job.recipe);
        const Candidate smallest = candidate_of(rungs.front(), budget, job.recipe);
        faults.add(key, as_written(budget) + " suits no shape of the ladder",
                   "tokens per parameter go from " + rounded(largest.tokens_per_parameter) + " for " +
                       label(largest.rung->shape) + " to " + rounded(smallest.tokens_per_parameter) +
                       " for " + label(smallest.rung->shape) +
                       ", none inside isoflop.tokens_per_parameter = [" +
                       as_written(job.isoflop.tokens_per_parameter_low) + ", " +
                       as_written(job.isoflop.tokens_per_parameter_high) + "]",
                   "change it, the range, or the widths");
        return false;
    }
    const Rung& dearest =
        *std::max_element(chosen.begin(), chosen.end(), [](const auto& one, const auto& other) {
             return one.rung->flops_per_step < other.rung->flops_per_step;
         })->rung;
    const double steps = budget / dearest.flops_per_step;
    if (steps < fewest_steps) {
        faults.add(key, as_written(budget) + " is less than 50 steps of " + label(dearest.shape),
                   rounded(steps) + " steps, rounded to whole ones, may miss the budget by more than 1%",
                   "raise it to " + rounded(1.01 * fewest_steps * dearest.flops_per_step) +
                       ", or lower recipe.batch");
        return false;
    }
    return true;
}

std::int64_t steps_of(double fraction, std::int64_t steps) {
    if (fraction == 0) return 0;
    return std::max<std::int64_t>(1, std::llround(fraction * static_cast<double>(steps)));
}

Schedule schedule_of(const Recipe& recipe, std::int64_t steps) {
    Schedule schedule;
    schedule.kind = recipe.schedule;
    schedule.warmup_steps = steps_of(recipe.warmup_fraction, steps);
    if (recipe.schedule == ScheduleKind::warmup_stable_decay) {
        schedule.decay_steps =
            std::min(steps_of(recipe.decay_fraction, steps), steps - schedule.warmup_steps);
    }
    schedule.final_fraction = recipe.final_fraction;
    return schedule;
}

PlannedTrial planned(const Candidate& candidate, std::size_t budget_index, const Job& job,
                     const CorpusFacts& corpus) {
    const Rung& rung = *candidate.rung;
    PlannedTrial planned;
    planned.name = std::string("b") + std::to_string(budget_index + 1) + "-w" +
                   std::to_string(rung.shape.width) + "-d" + std::to_string(rung.shape.depth);
    planned.budget = job.isoflop.budgets[budget_index];
    planned.parameters = rung.parameters;
    planned.flops_per_token = rung.flops_per_token;

    Trial& trial = planned.trial;
    trial.shape = rung.shape;
    trial.parametrization = job.recipe.parametrization;
    trial.optimizer = job.recipe.optimizer;
    trial.precision = job.recipe.precision;
    trial.batch = job.recipe.batch;
    trial.leaves = job.recipe.leaves;
    trial.steps = std::llround(candidate.steps);
    trial.schedule = schedule_of(job.recipe, trial.steps);
    trial.evaluation.tokens = job.evaluation.tokens / rung.shape.context * rung.shape.context;
    trial.evaluation.steps = evaluation_steps(trial.steps, job.evaluation.points);
    trial.seed = job.seed;
    trial.token_digest = corpus.digest;
    return planned;
}

}  // namespace

std::vector<Shape> ladder_shapes(const Ladder& ladder, std::int64_t vocabulary) {
    std::vector<Shape> shapes;
    for (const std::int64_t width : ladder.widths) {
        const auto real_width = static_cast<double>(width);
        Shape shape;
        shape.width = width;
        shape.depth = ladder.depth > 0
                          ? ladder.depth
                          : std::max<std::int64_t>(1, std::llround(real_width / ladder.aspect_ratio));
        shape.heads = width / ladder.head_width;
        // One part in 10,000 is forgiven, so that a ratio written 2.6667 gives what 8/3 gives.
        shape.mlp_width = 8 * std::llround(std::ceil(ladder.mlp_ratio * real_width / 8 * (1 - 1e-4)));
        shape.vocabulary = vocabulary;
        shape.context = ladder.context;
        shape.tied_head = ladder.tied_head;
        shapes.push_back(shape);
    }
    return shapes;
}

std::vector<std::size_t> spread_evenly(std::span<const double> rising, std::size_t count) {
    std::vector<std::size_t> chosen;
    count = std::min(count, rising.size());
    for (std::size_t i = 0; i < count; ++i) {
        const double part = count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0.5;
        const double target = rising.front() + part * (rising.back() - rising.front());
        // Each takes the nearest of those that leave enough for the rest.
        std::size_t best = chosen.empty() ? 0 : chosen.back() + 1;
        for (std::size_t j = best + 1; j + (count - i) <= rising.size(); ++j) {
            if (std::abs(rising[j] - target) < std::abs(rising[best] - target)) best = j;
        }
        chosen.push_back(best);
    }
    return chosen;
}

std::vector<std::int64_t> evaluation_steps(std::int64_t steps, std::int64_t points) {
    constexpr double first_fraction = 0.02;
    std::vector<std::int64_t> chosen;
    for (std::int64_t i = 0; i + 1 < points; ++i) {
        const double part = static_cast<double>(i) / static_cast<double>(points - 1);
        const double exact = static_cast<double>(steps) * std::pow(first_fraction, 1 - part);
        const std::int64_t step = std::max<std::int64_t>(1, std::llround(exact));
        if (step < steps && (chosen.empty() || step > chosen.back())) chosen.push_back(step);
    }
    chosen.push_back(steps);
    return chosen;
}

std::vector<PlannedTrial> expand_grid(const Job& job, const CorpusFacts& corpus,
                                      const ExactFlopsPerToken& exact_flops_per_token, JobFaults& faults) {
    std::vector<PlannedTrial> trials;
    if (!faults.sound({"model.widths", "model.aspect_ratio", "model.depth", "model.head_width",
                       "model.mlp_ratio", "model.context", "model.tied_head", "recipe.batch", "isoflop.flops",
                       "isoflop.sizes", "isoflop.tokens_per_parameter"}))
        return trials;
    assert(!job.ladder.widths.empty());

    const std::vector<Rung> rungs = rungs_of(job, corpus, exact_flops_per_token);
    for (std::size_t i = 0; i < job.isoflop.budgets.size(); ++i) {
        const std::string key = "isoflop.budgets[" + std::to_string(i + 1) + "]";
        if (!faults.sound({key})) continue;
        const double budget = job.isoflop.budgets[i];
        const std::vector<Candidate> chosen = chosen_for(budget, rungs, job);
        if (!check_budget(budget, key, rungs, chosen, job, faults)) continue;
        for (const Candidate& candidate : chosen)
            trials.push_back(planned(candidate, i, job, corpus));
    }
    return trials;
}

}  // namespace isogrid::study
