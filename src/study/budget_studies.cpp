// Studies of budgets: the isoFLOP grid, larger budgets that it is to predict, and the grid again under other
// recipes.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/wording.hpp"
#include "study/axes.hpp"
#include "study/budgets.hpp"

namespace isogrid::study {

namespace {

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
            faults.add(element("validation.budgets", i),
                       base::as_written(validation.budgets[i]) + " is no prediction",
                       "the largest of isoflop.budgets is " + base::as_written(isoflop.budgets.back()),
                       "raise it above");
            return false;
        }
    return true;
}

/// [isoflop] under another recipe: what all variants of it have in common.
BudgetStudy isoflop_study_of(Variant variant, const Job& job) {
    return {.table = "isoflop",
            .prefix = std::string(name(variant)) + "-b",
            .budgets = job.isoflop.budgets,
            .sizes = job.isoflop.sizes,
            .seeds = job.isoflop.seeds,
            .recipe = job.recipe,
            .variant = std::string(name(variant))};
}

/// The warm-up of the study's longest trial, for all of them (Kaplan et al. 2020 warmed up for 3,000 steps
/// whatever the size).
std::int64_t warmup_of_longest(const BudgetStudy& study, const TrialMaker& maker, JobFaults& faults) {
    double longest = 0;
    for (const PlannedTrial& planned : expand_budgets(study, maker, faults))
        longest = std::max(longest, static_cast<double>(planned.trial.tokens()));
    return std::max<std::int64_t>(1, std::llround(study.recipe.warmup_fraction * longest));
}

/// A variant that would change nothing.
bool check_variant(const Schedules& schedules, std::size_t index, const Job& job, JobFaults& faults) {
    const Variant variant = schedules.variants[index];
    if (variant == Variant::stable_decay && job.recipe.schedule == ScheduleKind::warmup_stable_decay) {
        faults.add(element("schedules.variants", index), "\"stable_decay\" is the recipe itself",
                   "recipe.schedule is warmup_stable_decay", "remove one of them");
        return false;
    }
    if (variant == Variant::large_batch && schedules.large_batch <= job.recipe.batch) {
        faults.add(
            "schedules.large_batch", "is " + std::to_string(schedules.large_batch),
            "the variant large_batch compares it with recipe.batch, " + std::to_string(job.recipe.batch),
            "set it to a larger batch");
        return false;
    }
    return true;
}

BudgetStudy study_of(Variant variant, const Schedules& schedules, const TrialMaker& maker,
                     JobFaults& faults) {
    BudgetStudy study = isoflop_study_of(variant, maker.job());
    switch (variant) {
        case Variant::tuned:
            break;
        case Variant::truncated_cosine:
            study.truncated = true;
            study.recipe.schedule = ScheduleKind::cosine;
            break;
        case Variant::fixed_warmup:
            study.recipe.warmup_tokens = warmup_of_longest(study, maker, faults);
            break;
        case Variant::stable_decay:
            study.recipe.schedule = ScheduleKind::warmup_stable_decay;
            break;
        case Variant::large_batch:
            study.recipe = with_batch(study.recipe, schedules.large_batch);
            break;
    }
    return study;
}

}  // namespace

Trials expand(const Isoflop& isoflop, const TrialMaker& maker, JobFaults& faults) {
    return expand_budgets({.table = "isoflop",
                           .prefix = "b",
                           .budgets = isoflop.budgets,
                           .sizes = isoflop.sizes,
                           .seeds = isoflop.seeds,
                           .recipe = maker.job().recipe},
                          maker, faults);
}

Trials expand(const Validation& validation, const TrialMaker& maker, JobFaults& faults) {
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

Trials expand(const Schedules& schedules, const TrialMaker& maker, JobFaults& faults) {
    const Job& job = maker.job();
    if (!faults.sound({"schedules", "isoflop", "recipe"})) return {};
    if (job.isoflop.budgets.empty()) {
        faults.add("schedules", "has no budgets", "there is no [isoflop]", "add [isoflop]");
        return {};
    }
    Trials trials;
    for (std::size_t i = 0; i < schedules.variants.size(); ++i) {
        if (!check_variant(schedules, i, job, faults)) return {};
        Trials more =
            expand_budgets(study_of(schedules.variants[i], schedules, maker, faults), maker, faults);
        for (PlannedTrial& planned : more)
            planned.studies = {"schedules"};
        trials.insert(trials.end(), more.begin(), more.end());
    }
    return trials;
}

}  // namespace isogrid::study
