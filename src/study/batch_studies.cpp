// Studies of the batch: how large one pays, and what one that grows saves.
#include <algorithm>
#include <cmath>
#include <string>

#include "study/axes.hpp"
#include "study/expand.hpp"
#include "study/spread.hpp"
#include "study/trunks.hpp"

namespace isogrid::study {

namespace {

constexpr std::size_t fewest_batches = 3, fewest_fixed = 2;

/// Targets must fall, and lie below what a model knows that guesses every token alike.
bool check_targets(const std::vector<double>& targets, std::int64_t vocabulary, JobFaults& faults) {
    const double guessing = std::log(static_cast<double>(vocabulary));
    for (std::size_t i = 0; i < targets.size(); ++i) {
        const std::string key = element("critical_batch.targets", i);
        if (targets[i] >= guessing) {
            faults.add(key, base::as_written(targets[i]) + " is reached before training",
                       "guessing among " + std::to_string(vocabulary) + " tokens has a loss of " +
                           base::rounded(guessing),
                       "lower it");
            return false;
        }
        if (i > 0 && !(targets[i] < targets[i - 1])) {
            faults.add(key, base::as_written(targets[i]) + " does not fall",
                       "the target before it is " + base::as_written(targets[i - 1]),
                       "list targets once each, from high to low");
            return false;
        }
    }
    return true;
}

/// As many leaves as the recipe has, or as all of these batches can be cut into.
std::int64_t common_leaves(std::int64_t leaves, const std::vector<std::int64_t>& batches) {
    while (
        std::any_of(batches.begin(), batches.end(), [&](std::int64_t batch) { return batch % leaves != 0; }))
        leaves /= 2;
    return leaves;
}

/// What goes on from the trunk's end with another batch, at what the rule makes of this rate.
PlannedTrial branch_of(const PlannedTrial& trunk, const CriticalBatch& study, std::int64_t batch,
                       double rate) {
    const std::int64_t start = trunk.trial.steps;
    PlannedTrial branch = trunk;
    branch.studies = {"critical_batch"};
    Trial& trial = branch.trial;
    trial.batch_schedule = {{.step = start,
                             .batch = batch,
                             .learning_rate_factor = rate / trial.optimizer.learning_rate *
                                                     rule_factor(study.rule, batch, trial.batch)}};
    trial.steps = trial.steps_to(static_cast<double>(start * trial.batch) +
                                 static_cast<double>(study.tokens / trial.shape.context));
    for (const std::int64_t step : evaluation_steps(trial.steps - start, study.points))
        trial.evaluation.steps.push_back(start + step);
    trial.stop_loss = study.targets.back();
    return branch;
}

/// A trunk at recipe.batch for each width and seed, and all batches from its state on.
Trials from_trunks(const CriticalBatch& study, const std::vector<std::int64_t>& widths,
                   const std::vector<double>& rates, const TrialMaker& maker) {
    const Job& job = maker.job();
    std::vector<std::int64_t> batches = study.batches;
    batches.push_back(job.recipe.batch);
    Trials trials;
    for (const std::int64_t width : widths)
        for (std::int64_t seed = 0; seed < study.seeds; ++seed) {
            Setting setting{.shape = maker.shape(width),
                            .recipe = job.recipe,
                            .tokens = static_cast<double>(study.trunk_tokens),
                            .seed = seed_of(job, seed)};
            setting.recipe.schedule = ScheduleKind::constant;
            setting.recipe.warmup_fraction = study.warmup_fraction;
            setting.recipe.warmup_tokens = 0;
            setting.recipe.leaves = common_leaves(job.recipe.leaves, batches);
            PlannedTrial trunk = maker.make(
                "cb-trunk" + shape_part(setting.shape) + seed_part(study.seeds, seed), trunk_study, setting);
            trunk.trial.evaluation.steps = trunk_evaluations({}, trunk.trial.steps);
            trials.push_back(trunk);
            for (const std::int64_t batch : study.batches)
                for (const double rate : rates) {
                    PlannedTrial branch = branch_of(trunk, study, batch, rate);
                    branch.name = "cb" + shape_part(setting.shape) + "-b" + std::to_string(batch) +
                                  part("r", rates, rate) + seed_part(study.seeds, seed);
                    trials.push_back(std::move(branch));
                }
        }
    return trials;
}

/// Batches that double from the smallest to the largest of those that stay fixed, each from where c D^a, the
/// critical batch in tokens after D tokens, has come up to it.
std::vector<BatchChange> following(const BatchRamp& study, std::int64_t context) {
    const auto [smallest, largest] = std::minmax_element(study.batches.begin(), study.batches.end());
    std::vector<BatchChange> ramp = {{.tokens = 0, .batch = *smallest}};
    for (std::int64_t batch = 2 * *smallest; batch <= *largest; batch *= 2) {
        const double tokens = std::pow(static_cast<double>(batch * context) / study.critical_batch[0],
                                       1 / study.critical_batch[1]);
        const std::int64_t earliest = ramp.back().tokens + ramp.back().batch * context;
        if (!(tokens < static_cast<double>(study.tokens))) break;
        if (tokens < static_cast<double>(earliest))
            ramp.back().batch = batch;  // what lasts less than a step is left out
        else
            ramp.push_back({.tokens = std::llround(tokens), .batch = batch});
    }
    return ramp;
}

/// A way to choose batches that [batch_ramp] compares.
struct BatchPlan {
    std::string name;  ///< `batch_4`, `ramp`, `ramp_critical_batch`
    std::vector<BatchChange> batches;
};

bool check_ramp(const std::string& key, const std::vector<BatchChange>& ramp, const BatchRamp& study,
                const Ladder& ladder, JobFaults& faults) {
    if (ramp.front().tokens != 0) {
        faults.add(element(key, 0), "begins after " + std::to_string(ramp.front().tokens) + " tokens",
                   "a trial needs a batch from its start", "begin with [0, BATCH]");
        return false;
    }
    if (ramp.size() < 2 || ramp[1].tokens >= study.tokens) {
        faults.add(key, "never leaves the batch " + std::to_string(ramp.front().batch),
                   "the trials end after " + std::to_string(study.tokens) + " tokens",
                   "let it rise earlier, or raise batch_ramp.tokens");
        return false;
    }
    return check_changes(key, ramp.front().batch, {ramp.begin() + 1, ramp.end()}, ladder.context, faults);
}

std::vector<BatchPlan> plans_of(const BatchRamp& study, const Ladder& ladder, JobFaults& faults) {
    std::vector<BatchPlan> plans;
    for (const std::int64_t batch : study.batches)
        plans.push_back({"batch_" + std::to_string(batch), {{.tokens = 0, .batch = batch}}});
    if (study.ramp.empty() && study.critical_batch.empty()) {
        faults.add("batch_ramp", "has no ramp", "it compares batches that grow with fixed ones",
                   "add `ramp = [[0, 4], [1_000_000, 8]]` or `critical_batch = [COEFFICIENT, EXPONENT]`");
        return {};
    }
    if (!study.ramp.empty()) {
        if (!check_ramp("batch_ramp.ramp", study.ramp, study, ladder, faults)) return {};
        plans.push_back({"ramp", study.ramp});
    }
    if (!study.critical_batch.empty()) {
        const std::vector<BatchChange> ramp = following(study, ladder.context);
        if (!check_ramp("batch_ramp.critical_batch", ramp, study, ladder, faults)) return {};
        plans.push_back({"ramp_critical_batch", ramp});
    }
    return plans;
}

Recipe recipe_of(const BatchPlan& plan, const Recipe& recipe) {
    std::vector<std::int64_t> batches;
    for (const BatchChange& stage : plan.batches)
        batches.push_back(stage.batch);
    Recipe chosen = recipe;
    chosen.batch = batches.front();
    chosen.leaves = common_leaves(recipe.leaves, batches);
    chosen.batch_schedule.assign(plan.batches.begin() + 1, plan.batches.end());
    return chosen;
}

}  // namespace

Trials expand(const CriticalBatch& study, const TrialMaker& maker, JobFaults& faults) {
    const Job& job = maker.job();
    Trials trials;
    const auto widths = or_else(study.widths, {job.ladder.widths.front()});
    const auto rates = or_else(study.learning_rates, {job.recipe.optimizer.learning_rate});
    if (!faults.sound({"critical_batch", "recipe"}) ||
        !check_widths("critical_batch.widths", widths, job.ladder, faults) ||
        !check_targets(study.targets, maker.corpus().vocabulary, faults))
        return trials;
    const std::int64_t largest = *std::max_element(study.batches.begin(), study.batches.end());
    if (!check_count("critical_batch.batches", study.batches.size(), fewest_batches,
                     "a hyperbola through fewer batches cannot be tested", faults) ||
        !check_steps("critical_batch.tokens", static_cast<double>(study.tokens), largest, job, faults))
        return trials;
    if (study.trunk_tokens > 0) {
        if (!check_steps("critical_batch.trunk_tokens", static_cast<double>(study.trunk_tokens),
                         job.recipe.batch, job, faults))
            return trials;
        return from_trunks(study, widths, rates, maker);
    }
    for (const std::int64_t width : widths)
        for (const std::int64_t batch : study.batches)
            for (const double rate : rates)
                for (std::int64_t seed = 0; seed < study.seeds; ++seed) {
                    Setting setting{.shape = maker.shape(width),
                                    .recipe = with_batch(job.recipe, batch),
                                    .tokens = static_cast<double>(study.tokens),
                                    .seed = seed_of(job, seed),
                                    .points = study.points};
                    setting.recipe.schedule = ScheduleKind::constant;
                    setting.recipe.warmup_fraction = study.warmup_fraction;
                    setting.recipe.warmup_tokens = 0;
                    setting.recipe.optimizer.learning_rate =
                        rate * rule_factor(study.rule, batch, job.recipe.batch);
                    PlannedTrial planned =
                        maker.make("cb" + shape_part(setting.shape) + "-b" + std::to_string(batch) +
                                       part("r", rates, rate) + seed_part(study.seeds, seed),
                                   "critical_batch", setting);
                    planned.trial.stop_loss = study.targets.back();
                    trials.push_back(std::move(planned));
                }
    return trials;
}

Trials expand(const BatchRamp& study, const TrialMaker& maker, JobFaults& faults) {
    const Job& job = maker.job();
    Trials trials;
    const auto widths = or_else(study.widths, {job.ladder.widths.front()});
    const auto rates = or_else(study.learning_rates, {job.recipe.optimizer.learning_rate});
    if (!faults.sound({"batch_ramp", "recipe"}) ||
        !check_widths("batch_ramp.widths", widths, job.ladder, faults) ||
        !check_count("batch_ramp.batches", study.batches.size(), fewest_fixed,
                     "a ramp is compared with a small batch and with a large one", faults) ||
        !check_steps("batch_ramp.tokens", static_cast<double>(study.tokens),
                     *std::max_element(study.batches.begin(), study.batches.end()), job, faults))
        return trials;
    const std::vector<BatchPlan> plans = plans_of(study, job.ladder, faults);
    for (const std::int64_t width : widths)
        for (const BatchPlan& plan : plans)
            for (const double rate : rates)
                for (std::int64_t seed = 0; seed < study.seeds; ++seed) {
                    Setting setting{.shape = maker.shape(width),
                                    .recipe = recipe_of(plan, job.recipe),
                                    .tokens = static_cast<double>(study.tokens),
                                    .seed = seed_of(job, seed)};
                    setting.recipe.batch_schedule_rule = study.rule;
                    setting.recipe.optimizer.learning_rate =
                        rate * rule_factor(study.rule, setting.recipe.batch, job.recipe.batch);
                    std::string name = plan.name;
                    std::replace(name.begin(), name.end(), '_', '-');
                    PlannedTrial planned =
                        maker.make("br" + shape_part(setting.shape) + "-" + name + part("r", rates, rate) +
                                       seed_part(study.seeds, seed),
                                   "batch_ramp", setting);
                    planned.variant = plan.name;
                    trials.push_back(std::move(planned));
                }
    return trials;
}

}  // namespace isogrid::study
