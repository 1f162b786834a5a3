// Studies that sweep what a recipe sets: learning rate, width.
#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "study/axes.hpp"
#include "study/expand.hpp"

namespace isogrid::study {

namespace {

/// A law through fewer points cannot be tested.
constexpr std::size_t fewest_rates = 4, fewest_widths = 2;

}  // namespace

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
                     "a parabola through fewer cannot be tested", faults))
        return trials;
    if (!study.warmup_fractions.empty() && job.recipe.warmup_tokens > 0) {
        faults.add("learning_rate.warmup_fractions", "would change nothing",
                   "recipe.warmup_tokens sets the warm-up of every trial", "remove one of them");
        return trials;
    }
    for (std::size_t i = 0; i < study.tokens.size(); ++i)
        if (!check_steps(element("learning_rate.tokens", i), static_cast<double>(study.tokens[i]),
                         *std::max_element(batches.begin(), batches.end()), job, faults))
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
                     "a parabola through fewer cannot be tested", faults) ||
        !check_steps("mup.tokens", static_cast<double>(study.tokens), job.recipe.batch, job, faults))
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

}  // namespace isogrid::study
