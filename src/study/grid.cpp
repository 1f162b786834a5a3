// The isoFLOP grid (Hoffmann et al. 2022, section 3.2): at each budget, shapes trained on budget / cost
// tokens.
#include "study/grid.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <string>
#include <utility>

#include "study/expand.hpp"
#include "study/scale.hpp"
#include "study/trunks.hpp"
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

/// Trials of budgets: those of [isoflop], those that validate it, and those under changed recipes.
struct BudgetStudy {
    std::string table;            ///< that asks for it: `isoflop`
    std::string prefix;           ///< of names: `b`
    std::vector<double> budgets;  ///< FLOPs in the convention of [isoflop]
    std::int64_t sizes = 0, seeds = 1;
    Recipe recipe;
    std::string variant = {};
    bool truncated = false;  ///< cosines that would end where the largest budget does
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
        faults.add(key, as_written(budget) + " is less than one step",
                   "a step of " + label(cheapest.shape) + " costs " + rounded(cheapest.flops_per_step),
                   "raise it");
        return false;
    }
    if (chosen.empty()) {
        const Candidate largest = candidate_of(rungs.back(), budget, recipe);
        const Candidate smallest = candidate_of(rungs.front(), budget, recipe);
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
    std::int64_t largest = recipe.batch;
    for (const BatchChange& change : recipe.batch_schedule)
        largest = std::max(largest, change.batch);
    const double flops_per_step =
        dearest.flops_per_step * static_cast<double>(largest) / static_cast<double>(recipe.batch);
    const double steps = budget / flops_per_step;
    const double least = scaled_least(fewest_steps, job);
    if (steps < least) {
        faults.add(key,
                   as_written(budget) + " is less than " + rounded(least) +
                       (least > 1 ? " steps of " : " step of ") + label(dearest.shape),
                   rounded(steps) + " steps, rounded to whole ones, may miss the budget by more than 1%",
                   "raise it to " + rounded(1.01 * least * flops_per_step) + ", or lower recipe.batch");
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

Trials expand_budgets(const BudgetStudy& study, const TrialMaker& maker, JobFaults& faults) {
    Trials trials;
    const std::vector<Rung> rungs = rungs_of(study, maker);
    for (std::size_t i = 0; i < study.budgets.size(); ++i) {
        const std::string key = study.table + ".budgets[" + std::to_string(i + 1) + "]";
        if (!faults.sound({key})) continue;
        const std::vector<Candidate> chosen = chosen_for(study.budgets[i], rungs, study, maker.job());
        if (check_budget(study.budgets[i], key, rungs, chosen, study.recipe, maker.job(), faults))
            expand_budget(i, study, chosen, maker, trials);
    }
    return trials;
}

/// Budgets that are to be predicted must lie above those that the prediction is made from.
bool check_validation(const Validation& validation, const Isoflop& isoflop, JobFaults& faults) {
    if (!faults.sound({"validation", "isoflop"})) return false;
    if (isoflop.budgets.empty()) {
        faults.add("validation", "has nothing to be predicted from", "there is no [isoflop]",
                   "add [isoflop] with smaller budgets");
        return false;
    }
    for (std::size_t i = 0; i < validation.budgets.size(); ++i)
        if (!(validation.budgets[i] > isoflop.budgets.back())) {
            faults.add("validation.budgets[" + std::to_string(i + 1) + "]",
                       as_written(validation.budgets[i]) + " is no prediction",
                       "the largest of isoflop.budgets is " + as_written(isoflop.budgets.back()),
                       "raise it above");
            return false;
        }
    return true;
}

Trials expand_validation(const Validation& validation, const TrialMaker& maker, JobFaults& faults) {
    const Job& job = maker.job();
    if (!check_validation(validation, job.isoflop, faults)) return {};
    return expand_budgets({.table = "validation",
                           .prefix = "v",
                           .budgets = validation.budgets,
                           .sizes = validation.sizes,
                           .seeds = validation.seeds,
                           .recipe = job.recipe},
                          maker, faults);
}

/// The grid of [isoflop] under each variant of the recipe.
Trials expand_schedules(const Schedules& schedules, const TrialMaker& maker, JobFaults& faults) {
    const Job& job = maker.job();
    if (!faults.sound({"schedules", "isoflop", "recipe"})) return {};
    if (job.isoflop.budgets.empty()) {
        faults.add("schedules", "has no budgets", "there is no [isoflop]", "add [isoflop]");
        return {};
    }
    Trials trials;
    for (std::size_t i = 0; i < schedules.variants.size(); ++i) {
        const Variant variant = schedules.variants[i];
        BudgetStudy study{.table = "isoflop",
                          .prefix = std::string(name(variant)) + "-b",
                          .budgets = job.isoflop.budgets,
                          .sizes = job.isoflop.sizes,
                          .seeds = job.isoflop.seeds,
                          .recipe = job.recipe,
                          .variant = std::string(name(variant))};
        switch (variant) {
            case Variant::tuned:
                break;
            case Variant::truncated_cosine:
                study.truncated = true;
                study.recipe.schedule = ScheduleKind::cosine;
                break;
            case Variant::fixed_warmup: {
                // As long as the longest trial's own, for all of them (Kaplan et al. 2020 warmed up for 3,000
                // steps whatever the size).
                double longest = 0;
                for (const PlannedTrial& planned : expand_budgets(study, maker, faults))
                    longest = std::max(longest, static_cast<double>(planned.trial.tokens()));
                study.recipe.warmup_tokens =
                    std::max<std::int64_t>(1, std::llround(job.recipe.warmup_fraction * longest));
                break;
            }
            case Variant::stable_decay:
                study.recipe.schedule = ScheduleKind::warmup_stable_decay;
                break;
            case Variant::large_batch:
                if (schedules.large_batch <= job.recipe.batch) {
                    faults.add("schedules.large_batch", "is " + std::to_string(schedules.large_batch),
                               "the variant large_batch compares it with recipe.batch, " +
                                   std::to_string(job.recipe.batch),
                               "set it to a larger batch");
                    return {};
                }
                study.recipe = with_batch(job.recipe, schedules.large_batch);
                break;
        }
        Trials more = expand_budgets(study, maker, faults);
        for (PlannedTrial& planned : more)
            planned.studies = {"schedules"};
        trials.insert(trials.end(), more.begin(), more.end());
    }
    return trials;
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

    const TrialMaker maker(job, corpus, exact_flops_per_token);
    trials = expand_budgets({.table = "isoflop",
                             .prefix = "b",
                             .budgets = job.isoflop.budgets,
                             .sizes = job.isoflop.sizes,
                             .seeds = job.isoflop.seeds,
                             .recipe = job.recipe},
                            maker, faults);
    const auto add = [&](const auto& study) {
        if (study) join(trials, expand(*study, maker, faults));
    };
    if (job.validation) join(trials, expand_validation(*job.validation, maker, faults));
    if (job.isoflop.trunks && faults.sound({"isoflop", "validation", "recipe"}))
        trials = share_trunks(std::move(trials), "isoflop.trunks", maker, faults);
    if (job.schedules) join(trials, expand_schedules(*job.schedules, maker, faults));
    add(job.critical_batch);
    add(job.batch_ramp);
    add(job.learning_rate);
    add(job.mup);
    add(job.wsd);
    add(job.repetition);
    add(job.data_size);
    return trials;
}

}  // namespace isogrid::study
