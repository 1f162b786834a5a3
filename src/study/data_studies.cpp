// Studies of how much data a model sees, how often, and where the learning rate comes down.
#include <algorithm>
#include <cmath>
#include <string>

#include "study/axes.hpp"
#include "study/expand.hpp"
#include "study/trunks.hpp"

namespace isogrid::study {

namespace {

std::string name_of(const char* prefix, const Shape& shape, const std::string& rest, std::int64_t seeds,
                    std::int64_t seed) {
    return prefix + shape_part(shape) + rest + seed_part(seeds, seed);
}

bool check_rising(const std::string& key, const std::vector<std::int64_t>& values, JobFaults& faults) {
    for (std::size_t i = 1; i < values.size(); ++i)
        if (values[i] <= values[i - 1]) {
            faults.add(element(key, i), std::to_string(values[i]) + " does not rise",
                       "the one before it is " + std::to_string(values[i - 1]),
                       "list them once each, from small to large");
            return false;
        }
    return true;
}

std::int64_t least_tokens(const Job& job) {
    return std::llround(least_steps(job) * static_cast<double>(job.recipe.batch * job.ladder.context));
}

/// Different tokens that the training part does not have cannot be drawn.
bool check_available(const std::string& key, const std::vector<std::int64_t>& tokens, const Job& job,
                     const CorpusFacts& corpus, JobFaults& faults) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i] > corpus.training_tokens) {
            faults.add(element(key, i), std::to_string(tokens[i]) + " is more than there is",
                       "the training part has " + std::to_string(corpus.training_tokens) + " tokens",
                       "tokenize more text, or lower it");
            return false;
        }
        if (tokens[i] < least_tokens(job)) {
            faults.add(element(key, i), std::to_string(tokens[i]) + " is less than " + least_steps_text(job),
                       least_steps_text(job) + (least_steps(job) > 1 ? " have " : " has ") +
                           std::to_string(least_tokens(job)) + " tokens",
                       "raise it, or lower recipe.batch");
            return false;
        }
        if (tokens[i] <= job.ladder.context) {
            faults.add(element(key, i), std::to_string(tokens[i]) + " hold no sequence",
                       "model.context is " + std::to_string(job.ladder.context) +
                           ", and the last target stands behind it",
                       "raise it");
            return false;
        }
    }
    return true;
}

std::int64_t trunk_tokens_of(const Decays& study) {
    return study.trunk_tokens > 0 ? study.trunk_tokens : study.branches.back();
}

/// Places where decays begin must rise, lie on the trunk, and be some steps from its start.
bool check_places(const std::string& key, const std::vector<std::int64_t>& places, const Decays& study,
                  const Job& job, JobFaults& faults) {
    if (!check_rising(key, places, faults)) return false;
    const std::int64_t trunk_tokens = trunk_tokens_of(study);
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (places[i] > trunk_tokens) {
            faults.add(element(key, i), std::to_string(places[i]) + " lies beyond the trunk",
                       (study.trunk_tokens > 0 ? "wsd.trunk_tokens is " : "the last of wsd.branches is ") +
                           std::to_string(trunk_tokens),
                       "raise it, or drop the branch");
            return false;
        }
        if (places[i] < least_tokens(job)) {
            faults.add(element(key, i), std::to_string(places[i]) + " is less than " + least_steps_text(job),
                       "a step has " + std::to_string(job.recipe.batch * job.ladder.context) + " tokens",
                       "raise it, or lower recipe.batch");
            return false;
        }
    }
    return true;
}

/// The warm-up of trunk and branches: the recipe's, or a share of the first branch.
std::int64_t warmup_tokens_of(const Decays& study, const Recipe& recipe) {
    if (recipe.warmup_tokens > 0) return recipe.warmup_tokens;
    return std::llround(recipe.warmup_fraction * static_cast<double>(study.branches.front()));
}

/// A decay that began in the warm-up would come down from a peak that was never reached.
bool check_warm(const std::string& key, const std::vector<std::int64_t>& places, const Decays& study,
                const Job& job, JobFaults& faults) {
    const std::int64_t tokens_per_step = job.recipe.batch * job.ladder.context;
    const std::int64_t warmup = warmup_tokens_of(study, job.recipe);
    for (std::size_t i = 0; i < places.size(); ++i)
        if (places[i] / tokens_per_step < warmup / tokens_per_step) {
            faults.add(element(key, i), std::to_string(places[i]) + " lies in the warm-up",
                       "which takes " + std::to_string(warmup) + " tokens",
                       "raise it, or shorten the warm-up");
            return false;
        }
    return true;
}

bool check_branches(const Decays& study, const Job& job, JobFaults& faults) {
    if (!check_places("wsd.branches", study.branches, study, job, faults) ||
        !check_places("wsd.added_branches", study.added_branches, study, job, faults) ||
        !check_warm("wsd.branches", study.branches, study, job, faults) ||
        !check_warm("wsd.added_branches", study.added_branches, study, job, faults))
        return false;
    const std::int64_t tokens_per_step = job.recipe.batch * job.ladder.context;
    for (std::size_t i = 0; i < study.added_branches.size(); ++i)
        for (const std::int64_t branch : study.branches)
            if (branch / tokens_per_step == study.added_branches[i] / tokens_per_step) {
                faults.add(element("wsd.added_branches", i),
                           std::to_string(study.added_branches[i]) + " is a branch already",
                           "wsd.branches has " + std::to_string(branch) + ", the same step",
                           "drop one of them");
                return false;
            }
    return true;
}

/// The decays that begin after `branch` tokens, each decay_fraction of its whole trial, which is evaluated
/// like its trunk at `evaluated` up to there.
Trials decays_at(std::int64_t branch, const std::vector<std::int64_t>& evaluated, const Decays& study,
                 Setting setting, std::int64_t seed, const TrialMaker& maker) {
    const Job& job = maker.job();
    const auto finals = or_else(study.final_fractions, {job.recipe.final_fraction});
    const std::int64_t tokens_per_step = job.recipe.batch * job.ladder.context;
    const std::int64_t start = branch / tokens_per_step;
    setting.recipe.schedule = ScheduleKind::warmup_stable_decay;
    setting.tokens = std::max(static_cast<double>(branch) / (1 - job.recipe.decay_fraction),
                              static_cast<double>((start + 1) * tokens_per_step));  // a step at least
    Trials decays;
    for (const DecayForm form : study.forms)
        for (const double final_fraction : finals) {
            setting.recipe.final_fraction = final_fraction;
            PlannedTrial planned =
                maker.make(name_of("decay", setting.shape,
                                   "-t" + std::to_string(branch) + "-" + std::string(name(form)) + "-f" +
                                       base::as_written(final_fraction),
                                   study.seeds, seed),
                           "wsd", setting);
            Trial& trial = planned.trial;
            trial.schedule.decay = form;
            trial.schedule.decay_steps = trial.steps - start;
            trial.evaluation.steps = branch_evaluations(evaluated, start, trial.steps, job.evaluation.points);
            decays.push_back(std::move(planned));
        }
    return decays;
}

}  // namespace

Trials expand(const Repetition& study, const TrialMaker& maker, JobFaults& faults) {
    const Job& job = maker.job();
    Trials trials;
    const auto widths = or_else(study.widths, job.ladder.widths);
    if (!faults.sound({"repetition", "recipe", "model"}) ||
        !check_widths("repetition.widths", widths, job.ladder, faults) ||
        !check_rising("repetition.unique_tokens", study.unique_tokens, faults) ||
        !check_available("repetition.unique_tokens", study.unique_tokens, job, maker.corpus(), faults))
        return trials;
    if (std::none_of(study.epochs.begin(), study.epochs.end(), [](double epochs) { return epochs > 1; })) {
        faults.add("repetition.epochs", "has none above 1", "nothing would be read again",
                   "list some, for example 1, 2, 4 and 8");
        return trials;
    }
    const auto fewest = std::min_element(study.epochs.begin(), study.epochs.end());
    if (!check_steps(element("repetition.epochs", static_cast<std::size_t>(fewest - study.epochs.begin())),
                     std::round(*fewest * static_cast<double>(study.unique_tokens.front())), job.recipe.batch,
                     job, faults))
        return trials;
    for (const std::int64_t width : widths)
        for (const std::int64_t unique : study.unique_tokens)
            for (const double epochs : study.epochs)
                for (std::int64_t seed = 0; seed < study.seeds; ++seed) {
                    const Setting setting{.shape = maker.shape(width),
                                          .recipe = job.recipe,
                                          .tokens = epochs * static_cast<double>(unique),
                                          .seed = seed_of(job, seed)};
                    PlannedTrial planned =
                        maker.make(name_of("rep", setting.shape,
                                           "-u" + std::to_string(unique) + "-e" + base::as_written(epochs),
                                           study.seeds, seed),
                                   "repetition", setting);
                    planned.trial.unique_tokens = unique;
                    trials.push_back(std::move(planned));
                }
    return trials;
}

Trials expand(const DataSize& study, const TrialMaker& maker, JobFaults& faults) {
    constexpr std::size_t fewest_amounts = 6;
    const Job& job = maker.job();
    Trials trials;
    const auto widths = or_else(study.widths, job.ladder.widths);
    if (!faults.sound({"data_size", "recipe", "model"}) ||
        !check_widths("data_size.widths", widths, job.ladder, faults) ||
        !check_rising("data_size.tokens", study.tokens, faults) ||
        !check_available("data_size.tokens", study.tokens, job, maker.corpus(), faults))
        return trials;
    if (study.tokens.size() < fewest_amounts) {
        faults.add("data_size.tokens", "has " + std::to_string(study.tokens.size()) + " values",
                   "a law of data is fitted to 6 amounts or more", "list more");
        return trials;
    }
    for (const std::int64_t width : widths)
        for (const std::int64_t tokens : study.tokens)
            for (std::int64_t seed = 0; seed < study.seeds; ++seed) {
                const Setting setting{.shape = maker.shape(width),
                                      .recipe = job.recipe,
                                      .tokens = static_cast<double>(tokens),
                                      .seed = seed_of(job, seed)};
                trials.push_back(maker.make(
                    name_of("data", setting.shape, "-t" + std::to_string(tokens), study.seeds, seed),
                    "data_size", setting));
            }
    return trials;
}

Trials expand(const Decays& study, const TrialMaker& maker, JobFaults& faults) {
    const Job& job = maker.job();
    Trials trials;
    const auto widths = or_else(study.widths, job.ladder.widths);
    if (!faults.sound({"wsd", "recipe", "model"}) ||
        !check_widths("wsd.widths", widths, job.ladder, faults) || !check_branches(study, job, faults))
        return trials;
    const std::int64_t tokens_per_step = job.recipe.batch * job.ladder.context;
    Recipe recipe = job.recipe;
    recipe.warmup_tokens = warmup_tokens_of(study, job.recipe);  // all branches leave one trunk
    std::vector<std::int64_t> starts;
    for (const std::int64_t branch : study.branches)
        starts.push_back(branch / tokens_per_step);
    for (const std::int64_t width : widths)
        for (std::int64_t seed = 0; seed < study.seeds; ++seed) {
            const Setting setting{
                .shape = maker.shape(width), .recipe = recipe, .tokens = 0, .seed = seed_of(job, seed)};
            const auto add_trunk = [&](const std::string& part, std::string_view asked_by,
                                       const std::vector<std::int64_t>& evaluated, std::int64_t end) {
                Setting constant = setting;
                constant.recipe.schedule = ScheduleKind::constant;
                constant.tokens = static_cast<double>(end * tokens_per_step);
                trials.push_back(
                    maker.make(name_of("trunk", setting.shape, part, study.seeds, seed), asked_by, constant));
                trials.back().trial.evaluation.steps = trunk_evaluations(evaluated, end);
            };
            const auto add_decays = [&](std::int64_t branch, const std::vector<std::int64_t>& evaluated) {
                for (PlannedTrial& decay : decays_at(branch, evaluated, study, setting, seed, maker))
                    trials.push_back(std::move(decay));
            };
            add_trunk("", "wsd", starts, trunk_tokens_of(study) / tokens_per_step);
            for (const std::int64_t branch : study.branches)
                add_decays(branch, starts);
            // An added branch is evaluated where it begins, and no other trial is, so that all others stay
            // the trials they were without it. Its decays share a trunk that goes on from the long one.
            for (const std::int64_t branch : study.added_branches) {
                std::vector<std::int64_t> evaluated = starts;
                evaluated.push_back(branch / tokens_per_step);
                add_trunk("-t" + std::to_string(branch), trunk_study, evaluated, evaluated.back());
                add_decays(branch, evaluated);
            }
        }
    return trials;
}

}  // namespace isogrid::study
