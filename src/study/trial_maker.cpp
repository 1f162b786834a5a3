#include "study/trial_maker.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "study/grid.hpp"

namespace isogrid::study {

namespace {

Schedule schedule_of(const Recipe& recipe, std::int64_t steps, const Shape& shape) {
    Schedule schedule;
    schedule.kind = recipe.schedule;
    schedule.warmup_steps = steps_of(recipe.warmup_fraction, steps);
    if (recipe.warmup_tokens > 0)
        schedule.warmup_steps =
            std::clamp<std::int64_t>(recipe.warmup_tokens / (recipe.batch * shape.context), 1, steps);
    if (recipe.schedule == ScheduleKind::warmup_stable_decay) {
        schedule.decay_steps =
            std::min(steps_of(recipe.decay_fraction, steps), steps - schedule.warmup_steps);
    }
    schedule.final_fraction = recipe.final_fraction;
    return schedule;
}

}  // namespace

std::int64_t steps_of(double fraction, std::int64_t steps) {
    if (fraction == 0) return 0;
    return std::max<std::int64_t>(1, std::llround(fraction * static_cast<double>(steps)));
}

std::uint64_t seed_of(const Job& job, std::int64_t i) {
    return job.seed + static_cast<std::uint64_t>(i);
}

Recipe with_batch(Recipe recipe, std::int64_t batch) {
    recipe.batch = batch;
    while (batch % recipe.leaves != 0)
        recipe.leaves /= 2;
    return recipe;
}

Shape TrialMaker::shape(std::int64_t width, std::int64_t depth) const {
    Ladder ladder = job_->ladder;
    ladder.widths = {width};
    if (depth > 0) ladder.depth = depth;
    return ladder_shapes(ladder, corpus_->vocabulary).front();
}

FlopsPerToken TrialMaker::flops_per_token(const Shape& shape) const {
    const auto [entry, is_new] = flops_.try_emplace(label(shape));
    if (is_new) entry->second = count_flops(shape, (*exact_flops_per_token_)(shape));
    return entry->second;
}

PlannedTrial TrialMaker::make(std::string name, std::string_view study, const Setting& setting) const {
    const Recipe& recipe = setting.recipe;
    PlannedTrial planned;
    planned.name = std::move(name);
    planned.studies = {std::string(study)};
    planned.parameters = count_parameters(setting.shape);
    planned.flops_per_token = flops_per_token(setting.shape);

    Trial& trial = planned.trial;
    trial.shape = setting.shape;
    trial.parametrization = recipe.parametrization;
    trial.optimizer = recipe.optimizer;
    trial.precision = recipe.precision;
    trial.batch = recipe.batch;
    trial.leaves = recipe.leaves;
    trial.steps = std::max<std::int64_t>(
        1, std::llround(setting.tokens / static_cast<double>(trial.tokens_per_step())));
    trial.schedule = schedule_of(recipe, trial.steps, setting.shape);
    trial.schedule.horizon_steps = setting.horizon_steps;
    trial.evaluation.tokens = job_->evaluation.tokens / setting.shape.context * setting.shape.context;
    trial.evaluation.steps =
        evaluation_steps(trial.steps, setting.points > 0 ? setting.points : job_->evaluation.points);
    trial.seed = setting.seed;
    trial.token_digest = corpus_->digest;
    return planned;
}

}  // namespace isogrid::study
