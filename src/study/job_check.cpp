// Rules of a job file, in the order of its tables.
#include "study/job_check.hpp"

#include <algorithm>
#include <bit>
#include <string>

#include "base/wording.hpp"
#include "study/axes.hpp"

namespace isogrid::study {

namespace {

bool is_power_of_two(std::int64_t value) {
    return value > 0 && std::has_single_bit(static_cast<std::uint64_t>(value));
}

void check_name(const Job& job, JobFaults& faults) {
    const bool plain = !job.name.empty() && std::all_of(job.name.begin(), job.name.end(), [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-';
    });
    if (faults.sound({"study.name"}) && !plain) {
        faults.add("study.name", "is \"" + job.name + "\"",
                   "a name has lower-case letters, digits and hyphens, for it goes into file names",
                   "rename it");
    }
}

void check_ladder(const Ladder& ladder, JobFaults& faults) {
    if (faults.sound({"model.head_width"}) && ladder.head_width % 2 != 0) {
        faults.add("model.head_width", "is " + std::to_string(ladder.head_width) + ", an odd number",
                   "rotary positions turn pairs of columns", "choose an even number");
    }
    for (std::size_t i = 0; i < ladder.widths.size(); ++i) {
        const std::string key = element("model.widths", i);
        const std::int64_t width = ladder.widths[i];
        if (!faults.sound({key})) continue;
        if (const auto first = std::find(ladder.widths.begin(), ladder.widths.begin() + i, width);
            first != ladder.widths.begin() + i) {
            faults.add(key, std::to_string(width) + " is there twice",
                       "it is already element " + std::to_string(first - ladder.widths.begin() + 1),
                       "remove one of them");
        } else if (faults.sound({"model.head_width"}) && width % ladder.head_width != 0) {
            faults.add(key, std::to_string(width) + " cannot be cut into heads",
                       "model.head_width is " + std::to_string(ladder.head_width),
                       "choose a multiple of it, or another head_width");
        }
    }
}

void check_recipe(const Recipe& recipe, JobFaults& faults) {
    if (faults.sound({"recipe.leaves"})) {
        const std::string leaves = std::to_string(recipe.leaves);
        if (!is_power_of_two(recipe.leaves)) {
            faults.add("recipe.leaves", "is " + leaves, "gradients are summed in a binary tree",
                       "choose a power of two");
        } else if (faults.sound({"recipe.batch"}) && recipe.batch % recipe.leaves != 0) {
            faults.add("recipe.leaves", leaves + " does not divide the batch",
                       "recipe.batch is " + std::to_string(recipe.batch) + ", and leaves share it equally",
                       "choose a power of two that divides it, or another batch");
        }
    }
    const bool decays = recipe.schedule == ScheduleKind::warmup_stable_decay;
    if (faults.sound({"recipe.schedule", "recipe.warmup_fraction", "recipe.decay_fraction"}) && decays &&
        recipe.warmup_fraction + recipe.decay_fraction > 1) {
        faults.add("recipe.decay_fraction", "leaves no room for the warm-up",
                   base::as_written(recipe.warmup_fraction) + " of the steps warm up and " +
                       base::as_written(recipe.decay_fraction) + " decay, more than 1 together",
                   "lower one of them");
    }
}

/// A decay of no step is none: the learning rate would be the last one from the warm-up on.
void check_decay(const Job& job, JobFaults& faults) {
    constexpr double most_of_a_branch = 0.9;
    if (!faults.sound({"recipe.schedule", "recipe.decay_fraction", "wsd", "schedules"})) return;
    if (job.wsd && job.recipe.decay_fraction > most_of_a_branch)
        faults.add("recipe.decay_fraction", "is " + base::as_written(job.recipe.decay_fraction),
                   "a branch of [wsd] may spend " + base::as_written(most_of_a_branch) +
                       " of its length on its decay",
                   "lower it");
    if (job.recipe.decay_fraction > 0) return;
    const bool varied = job.schedules && std::count(job.schedules->variants.begin(),
                                                    job.schedules->variants.end(), Variant::stable_decay) > 0;
    if (job.recipe.schedule == ScheduleKind::warmup_stable_decay)
        faults.add("recipe.decay_fraction", "is 0", "warmup_stable_decay ends with a decay",
                   "raise it, or set recipe.schedule = \"constant\"");
    else if (job.wsd || varied)
        faults.add("recipe.decay_fraction", "is 0",
                   job.wsd ? "the branches of [wsd] decay" : "the variant stable_decay ends with a decay",
                   "raise it");
}

void check_budgets(const Isoflop& isoflop, JobFaults& faults) {
    for (std::size_t i = 1; i < isoflop.budgets.size(); ++i) {
        const std::string key = element("isoflop.budgets", i), before = element("isoflop.budgets", i - 1);
        if (faults.sound({key, before}) && !(isoflop.budgets[i] > isoflop.budgets[i - 1])) {
            faults.add(key, base::as_written(isoflop.budgets[i]) + " does not rise",
                       "the budget before it is " + base::as_written(isoflop.budgets[i - 1]),
                       "list budgets once each, from small to large");
        }
    }
}

/// Decays leave a trunk: other schedules have nothing to share, and [schedules] compares other schedules.
void check_trunks(const Job& job, JobFaults& faults) {
    if (!job.isoflop.trunks || !faults.sound({"isoflop.trunks", "recipe.schedule"})) return;
    if (job.recipe.schedule != ScheduleKind::warmup_stable_decay) {
        faults.add("isoflop.trunks", "runs of this schedule share nothing",
                   "recipe.schedule is \"" + std::string(name(job.recipe.schedule)) +
                       "\", whose learning rate hangs on a run's length from its start",
                   "set recipe.schedule = \"warmup_stable_decay\", or trunks = false");
    } else if (job.schedules) {
        faults.add("isoflop.trunks", "does not go with [schedules]",
                   "its variants are other recipes for the same budgets, none of which leaves this trunk",
                   "set trunks = false, or make two jobs");
    }
}

void check_batch_schedule(const Job& job, JobFaults& faults) {
    const std::string key = "recipe.batch_schedule";
    const std::vector<BatchChange>& changes = job.recipe.batch_schedule;
    if (changes.empty() || !faults.sound({key, "recipe.batch", "recipe.leaves", "model.context"})) return;
    if (!check_changes(key, job.recipe.batch, changes, job.ladder.context, faults)) return;
    for (std::size_t i = 0; i < changes.size(); ++i)
        if (changes[i].batch % job.recipe.leaves != 0) {
            faults.add(
                element(key, i), std::to_string(changes[i].batch) + " sequences cannot be cut into leaves",
                "recipe.leaves is " + std::to_string(job.recipe.leaves) + " for every batch of a trial",
                "choose a multiple of it, or fewer leaves");
            return;
        }
    const auto clash = [&](bool there, const std::string& other, const std::string& why) {
        if (there) faults.add(key, "does not go with " + other, why, "remove one of them");
    };
    clash(job.isoflop.trunks, "isoflop.trunks", "a trunk has one batch");
    clash(job.wsd.has_value(), "[wsd]", "a trunk has one batch");
    clash(job.critical_batch.has_value(), "[critical_batch]", "it compares batches that stay as they are");
    clash(job.batch_ramp.has_value(), "[batch_ramp]", "it has ramps of its own");
    clash(job.schedules.has_value(), "[schedules]", "its variants have one batch");
    const auto keeps_its_own = [&](std::int64_t batch) { return batch != job.recipe.batch; };
    clash(job.learning_rate && std::any_of(job.learning_rate->batches.begin(),
                                           job.learning_rate->batches.end(), keeps_its_own),
          "learning_rate.batches", "only trials that begin with recipe.batch would change theirs");
}

void check_evaluation(const Job& job, JobFaults& faults) {
    if (faults.sound({"evaluation.tokens", "model.context"}) && job.evaluation.tokens < job.ladder.context) {
        faults.add("evaluation.tokens", std::to_string(job.evaluation.tokens) + " is less than one sequence",
                   "model.context is " + std::to_string(job.ladder.context), "raise it");
    }
}

void check_run(const Job& job, JobFaults& faults) {
    const std::int64_t ranks = job.ranks_per_trial;
    if (!faults.sound({"run.ranks_per_trial"}) || ranks == 0) return;
    if (!is_power_of_two(ranks)) {
        faults.add("run.ranks_per_trial", "is " + std::to_string(ranks),
                   "ranks share the leaves of a binary tree",
                   "choose a power of two, or 0 to leave the choice to the scheduler");
    } else if (faults.sound({"recipe.leaves"}) && ranks > job.recipe.leaves) {
        faults.add("run.ranks_per_trial",
                   std::to_string(ranks) + " ranks are more than the leaves they share",
                   "recipe.leaves is " + std::to_string(job.recipe.leaves), "lower it, or raise leaves");
    }
    if (ranks > 1 && faults.sound({"run.trials_per_card"}) && job.trials_per_card > 1)
        faults.add(
            "run.trials_per_card", "is " + std::to_string(job.trials_per_card),
            "ranks_per_trial is " + std::to_string(ranks) + ", and cards that share a trial train no other",
            "leave one of them out");
}

}  // namespace

void check_job(const Job& job, JobFaults& faults) {
    check_name(job, faults);
    check_ladder(job.ladder, faults);
    check_recipe(job.recipe, faults);
    check_decay(job, faults);
    check_budgets(job.isoflop, faults);
    check_trunks(job, faults);
    check_batch_schedule(job, faults);
    check_evaluation(job, faults);
    check_run(job, faults);
}

void check_corpus(const Job& job, const CorpusFacts& corpus, JobFaults& faults) {
    const std::int64_t context = job.ladder.context;
    if (!faults.sound({"model.context"})) return;

    // Windows share their border token, the last target of one being the first input of the next.
    const std::int64_t one_batch = job.recipe.batch * context + 1;
    if (faults.sound({"recipe.batch", "data.tokens"}) && corpus.training_tokens < one_batch) {
        faults.add("data.tokens", "the training part is too short for one batch",
                   std::to_string(corpus.training_tokens) + " tokens; " + std::to_string(job.recipe.batch) +
                       " sequences of " + std::to_string(context) + " need " + std::to_string(one_batch),
                   "tokenize more text, or lower recipe.batch or model.context");
    }
    const std::int64_t sequences = std::max<std::int64_t>(0, (corpus.validation_tokens - 1) / context);
    if (faults.sound({"evaluation.tokens"}) && job.evaluation.tokens / context > sequences) {
        faults.add("evaluation.tokens", std::to_string(job.evaluation.tokens) + " is more than there is",
                   "the validation part has " + std::to_string(corpus.validation_tokens) + " tokens, " +
                       std::to_string(sequences) + " whole sequences of " + std::to_string(context),
                   sequences > 0 ? "lower it to " + std::to_string(sequences * context) +
                                       ", or tokenize with a larger --validation"
                                 : "tokenize more text, or with a larger --validation");
    }
}

}  // namespace isogrid::study
