#include "study/trial_maker.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "study/ladder.hpp"
#include "study/spread.hpp"

namespace isogrid::study {

namespace {

/// Sets the length, and the batches of a recipe that changes them, each in whole steps. A change that the
/// trial does not live to see is left out.
void set_steps(const Recipe& recipe, double tokens, Trial& trial) {
    trial.steps =
        std::max<std::int64_t>(1, std::llround(tokens / static_cast<double>(trial.tokens_per_step())));
    if (recipe.batch_schedule.empty()) return;
    const double sequences = tokens / static_cast<double>(trial.shape.context);
    for (const BatchChange& change : recipe.batch_schedule) {
        const double at = static_cast<double>(change.tokens) / static_cast<double>(trial.shape.context);
        const BatchStage stage{
            .step = trial.steps_to(at),
            .batch = change.batch,
            .learning_rate_factor = rule_factor(recipe.batch_schedule_rule, change.batch, recipe.batch)};
        if (stage.step >= trial.steps_to(sequences)) break;
        trial.batch_schedule.push_back(stage);
    }
    trial.steps = std::max<std::int64_t>(1, trial.steps_to(sequences));
    while (!trial.batch_schedule.empty() && trial.batch_schedule.back().step >= trial.steps)
        trial.batch_schedule.pop_back();
}

Schedule schedule_of(const Recipe& recipe, const Trial& trial) {
    const std::int64_t steps = trial.steps;
    // Fractions are of tokens, which are those of the steps unless batches change.
    const auto steps_in = [&](double fraction) {
        if (fraction == 0 || trial.batch_schedule.empty()) return steps_of(fraction, steps);
        return std::max<std::int64_t>(1,
                                      trial.steps_to(fraction * static_cast<double>(trial.sequences(steps))));
    };
    Schedule schedule;
    schedule.kind = recipe.schedule;
    schedule.warmup_steps = steps_in(recipe.warmup_fraction);
    if (recipe.warmup_tokens > 0) {
        const std::int64_t sequences = recipe.warmup_tokens / trial.shape.context;
        schedule.warmup_steps = std::clamp<std::int64_t>(trial.batch_schedule.empty()
                                                             ? sequences / trial.batch
                                                             : trial.steps_to(static_cast<double>(sequences)),
                                                         1, steps);
    }
    if (recipe.schedule == ScheduleKind::warmup_stable_decay) {
        const std::int64_t decay =
            trial.batch_schedule.empty() || recipe.decay_fraction == 0
                ? steps_of(recipe.decay_fraction, steps)
                : std::max<std::int64_t>(1, steps - steps_in(1 - recipe.decay_fraction));
        schedule.decay_steps = std::min(decay, steps - schedule.warmup_steps);
    }
    schedule.final_fraction = recipe.final_fraction;
    return schedule;
}

/// Evenly spaced in log tokens.
std::vector<std::int64_t> evaluations_of(const Trial& trial, std::int64_t points) {
    if (trial.batch_schedule.empty()) return evaluation_steps(trial.steps, points);
    std::vector<std::int64_t> chosen;
    for (const std::int64_t sequences : evaluation_steps(trial.sequences(trial.steps), points)) {
        const std::int64_t step = std::max<std::int64_t>(1, trial.steps_to(static_cast<double>(sequences)));
        if (chosen.empty() || step > chosen.back()) chosen.push_back(step);
    }
    return chosen;
}

}  // namespace

std::int64_t steps_of(double fraction, std::int64_t steps) {
    if (fraction == 0) return 0;
    return std::max<std::int64_t>(1, std::llround(fraction * static_cast<double>(steps)));
}

std::uint64_t seed_of(const Job& job, std::int64_t i) {
    return job.seed + static_cast<std::uint64_t>(i);
}

double rule_factor(BatchRule rule, std::int64_t batch, std::int64_t base) {
    const double ratio = static_cast<double>(batch) / static_cast<double>(base);
    switch (rule) {
        case BatchRule::none:
            return 1;
        case BatchRule::square_root:
            return std::sqrt(ratio);
        case BatchRule::linear:
            return ratio;
    }
    return 1;
}

Recipe with_batch(Recipe recipe, std::int64_t batch) {
    if (batch != recipe.batch) recipe.batch_schedule.clear();
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
    trial.gradient_sum = recipe.gradient_sum;
    set_steps(recipe, setting.tokens, trial);
    trial.schedule = schedule_of(recipe, trial);
    trial.schedule.horizon_steps = setting.horizon_steps;
    trial.evaluation.tokens = job_->evaluation.tokens / setting.shape.context * setting.shape.context;
    trial.evaluation.steps =
        evaluations_of(trial, setting.points > 0 ? setting.points : job_->evaluation.points);
    trial.evaluation.sample = job_->evaluation.sample;
    trial.seed = setting.seed;
    trial.token_digest = corpus_->digest;
    return planned;
}

}  // namespace isogrid::study
