// Studies that sweep what a recipe sets: batch, learning rate, width.
#include <algorithm>
#include <cmath>
#include <string>

#include "study/expand.hpp"
#include "study/wording.hpp"

namespace isogrid::study {

namespace {

/// A law through fewer points cannot be doubted.
constexpr std::size_t fewest_batches = 3, fewest_rates = 4, fewest_widths = 2;
constexpr double fewest_steps = 20;

/// `given`, or where it is empty what the rest of the job says.
template <class Value>
std::vector<Value> or_else(const std::vector<Value>& given, std::vector<Value> otherwise) {
    return given.empty() ? std::move(otherwise) : given;
}

/// `-r0.01`, where the axis has more than one value.
template <class Value>
std::string part(const char* letter, const std::vector<Value>& axis, Value value) {
    if (axis.size() < 2) return "";
    return std::string("-") + letter + as_written(static_cast<double>(value));
}

std::string seed_part(std::int64_t seeds, std::int64_t i) {
    return seeds < 2 ? "" : "-s" + std::to_string(i + 1);
}

std::string shape_part(const Shape& shape) {
    return "-w" + std::to_string(shape.width) + "-d" + std::to_string(shape.depth);
}

/// Widths that cannot be cut into heads.
bool check_widths(const std::string& key, const std::vector<std::int64_t>& widths, const Ladder& ladder,
                  JobFaults& faults) {
    bool sound = faults.sound({key, "model"});
    for (std::size_t i = 0; i < widths.size() && sound; ++i) {
        if (widths[i] % ladder.head_width == 0) continue;
        faults.add(key + "[" + std::to_string(i + 1) + "]",
                   std::to_string(widths[i]) + " cannot be cut into heads",
                   "model.head_width is " + std::to_string(ladder.head_width),
                   "choose a multiple of it, or another head_width");
        sound = false;
    }
    return sound;
}

/// Lists that must rise or fall, so that messages and reports can name their ends.
bool check_count(const std::string& key, std::size_t count, std::size_t fewest, const std::string& why,
                 JobFaults& faults) {
    if (count >= fewest) return true;
    faults.add(key, "has " + std::to_string(count) + (count == 1 ? " value" : " values"), why,
               "list " + std::to_string(fewest) + " or more");
    return false;
}

bool check_steps(const std::string& key, double tokens, std::int64_t batch, const Ladder& ladder,
                 JobFaults& faults) {
    const double steps = tokens / static_cast<double>(batch * ladder.context);
    if (steps >= fewest_steps) return true;
    faults.add(key, as_written(tokens) + " is less than " + rounded(fewest_steps) + " steps",
               "a step of batch " + std::to_string(batch) + " has " + std::to_string(batch * ladder.context) +
                   " tokens",
               "raise it, or lower the batch");
    return false;
}

double carried(double learning_rate, BatchRule rule, std::int64_t batch, std::int64_t base) {
    const double ratio = static_cast<double>(batch) / static_cast<double>(base);
    switch (rule) {
        case BatchRule::none:
            return learning_rate;
        case BatchRule::square_root:
            return learning_rate * std::sqrt(ratio);
        case BatchRule::linear:
            return learning_rate * ratio;
    }
    return learning_rate;
}

/// Targets must fall, and lie below what a model knows that guesses every token alike.
bool check_targets(const std::vector<double>& targets, std::int64_t vocabulary, JobFaults& faults) {
    const double guessing = std::log(static_cast<double>(vocabulary));
    for (std::size_t i = 0; i < targets.size(); ++i) {
        const std::string key = "critical_batch.targets[" + std::to_string(i + 1) + "]";
        if (targets[i] >= guessing) {
            faults.add(
                key, as_written(targets[i]) + " is reached before training",
                "guessing among " + std::to_string(vocabulary) + " tokens has a loss of " + rounded(guessing),
                "lower it");
            return false;
        }
        if (i > 0 && !(targets[i] < targets[i - 1])) {
            faults.add(key, as_written(targets[i]) + " does not fall",
                       "the target before it is " + as_written(targets[i - 1]),
                       "list targets once each, from high to low");
            return false;
        }
    }
    return true;
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
                     "a hyperbola through fewer batches cannot be doubted", faults) ||
        !check_steps("critical_batch.tokens", static_cast<double>(study.tokens), largest, job.ladder, faults))
        return trials;
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
                        carried(rate, study.rule, batch, job.recipe.batch);
                    PlannedTrial planned =
                        maker.make("cb" + shape_part(setting.shape) + "-b" + std::to_string(batch) +
                                       part("r", rates, rate) + seed_part(study.seeds, seed),
                                   "critical_batch", setting);
                    planned.trial.stop_loss = study.targets.back();
                    trials.push_back(std::move(planned));
                }
    return trials;
}

Trials expand(const LearningRates& study, const TrialMaker& maker, JobFaults& faults) {
    const Job& job = maker.job();
    Trials trials;
    const auto widths = or_else(study.widths, job.ladder.widths);
    const auto batches = or_else(study.batches, {job.recipe.batch});
    const auto decays = or_else(study.weight_decays, {job.recipe.optimizer.weight_decay});
    const auto warmups = or_else(study.warmup_fractions, {job.recipe.warmup_fraction});
    if (!faults.sound({"learning_rate", "recipe"}) ||
        !check_widths("learning_rate.widths", widths, job.ladder, faults) ||
        !check_count("learning_rate.learning_rates", study.learning_rates.size(), fewest_rates,
                     "a parabola through fewer cannot be doubted", faults))
        return trials;
    for (std::size_t i = 0; i < study.tokens.size(); ++i)
        if (!check_steps("learning_rate.tokens[" + std::to_string(i + 1) + "]",
                         static_cast<double>(study.tokens[i]),
                         *std::max_element(batches.begin(), batches.end()), job.ladder, faults))
            return trials;
    for (const std::int64_t width : widths)
        for (const std::int64_t tokens : study.tokens)
            for (const std::int64_t batch : batches)
                for (const double decay : decays)
                    for (const double warmup : warmups)
                        for (const double rate : study.learning_rates)
                            for (std::int64_t seed = 0; seed < study.seeds; ++seed) {
                                Setting setting{.shape = maker.shape(width),
                                                .recipe = with_batch(job.recipe, batch),
                                                .tokens = static_cast<double>(tokens),
                                                .seed = seed_of(job, seed)};
                                setting.recipe.optimizer.learning_rate = rate;
                                setting.recipe.optimizer.weight_decay = decay;
                                setting.recipe.warmup_fraction = warmup;
                                trials.push_back(maker.make(
                                    "lr" + shape_part(setting.shape) + part("t", study.tokens, tokens) +
                                        part("b", batches, batch) + part("wd", decays, decay) +
                                        part("wu", warmups, warmup) + part("r", study.learning_rates, rate) +
                                        seed_part(study.seeds, seed),
                                    "learning_rate", setting));
                            }
    return trials;
}

Trials expand(const MupLadder& study, const TrialMaker& maker, JobFaults& faults) {
    const Job& job = maker.job();
    Trials trials;
    const auto widths = or_else(study.widths, job.ladder.widths);
    const auto depths = or_else(study.depths, {std::int64_t{0}});
    if (!faults.sound({"mup", "recipe"}) || !check_widths("mup.widths", widths, job.ladder, faults) ||
        !check_count("mup.widths", widths.size(), fewest_widths, "a slope needs them", faults) ||
        !check_count("mup.learning_rates", study.learning_rates.size(), fewest_rates,
                     "a parabola through fewer cannot be doubted", faults) ||
        !check_steps("mup.tokens", static_cast<double>(study.tokens), job.recipe.batch, job.ladder, faults))
        return trials;
    for (const ParametrizationKind kind : study.parametrizations)
        for (const std::int64_t depth : depths)
            for (const std::int64_t width : widths)
                for (const double rate : study.learning_rates)
                    for (std::int64_t seed = 0; seed < study.seeds; ++seed) {
                        Setting setting{.shape = maker.shape(width, depth),
                                        .recipe = job.recipe,
                                        .tokens = static_cast<double>(study.tokens),
                                        .seed = seed_of(job, seed)};
                        setting.recipe.parametrization.kind = kind;
                        setting.recipe.optimizer.learning_rate = rate;
                        trials.push_back(maker.make(std::string(name(kind)) + shape_part(setting.shape) +
                                                        part("r", study.learning_rates, rate) +
                                                        seed_part(study.seeds, seed),
                                                    "mup", setting));
                    }
    return trials;
}

void join(Trials& all, Trials more) {
    for (PlannedTrial& planned : more) {
        const auto known = std::find_if(
            all.begin(), all.end(), [&](const PlannedTrial& other) { return other.trial == planned.trial; });
        if (known == all.end()) {
            all.push_back(std::move(planned));
            continue;
        }
        if (known->variant.empty()) known->variant = std::move(planned.variant);
        for (std::string& study : planned.studies)
            if (std::find(known->studies.begin(), known->studies.end(), study) == known->studies.end())
                known->studies.push_back(std::move(study));
    }
}

}  // namespace isogrid::study
