#include "study/expand.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "study/trunks.hpp"

namespace isogrid::study {

void join(Trials& all, Trials more) {
    // Trials that differ here are not the same; so those that are compared as wholes are few.
    const auto key_of = [](const Trial& trial) {
        return std::tuple(trial.shape.width, trial.shape.depth, trial.batch, trial.steps, trial.seed,
                          trial.optimizer.learning_rate);
    };
    std::map<decltype(key_of(Trial{})), std::vector<std::size_t>> places;
    for (std::size_t i = 0; i < all.size(); ++i)
        places[key_of(all[i].trial)].push_back(i);
    for (PlannedTrial& planned : more) {
        std::vector<std::size_t>& alike = places[key_of(planned.trial)];
        const auto same = std::find_if(alike.begin(), alike.end(),
                                       [&](std::size_t i) { return all[i].trial == planned.trial; });
        if (same == alike.end()) {
            alike.push_back(all.size());
            all.push_back(std::move(planned));
            continue;
        }
        PlannedTrial& known = all[*same];
        if (known.variant.empty()) known.variant = std::move(planned.variant);
        for (std::string& study : planned.studies)
            if (std::find(known.studies.begin(), known.studies.end(), study) == known.studies.end())
                known.studies.push_back(std::move(study));
    }
}

Trials expand_grid(const Job& job, const CorpusFacts& corpus, const ExactFlopsPerToken& exact_flops_per_token,
                   JobFaults& faults) {
    Trials trials;
    if (!faults.sound({"model.widths", "model.aspect_ratio", "model.depth", "model.head_width",
                       "model.mlp_ratio", "model.context", "model.tied_head", "recipe.batch", "isoflop.flops",
                       "isoflop.sizes", "isoflop.tokens_per_parameter"}))
        return trials;
    assert(!job.ladder.widths.empty());

    const TrialMaker maker(job, corpus, exact_flops_per_token);
    trials = expand(job.isoflop, maker, faults);
    const auto add = [&](const auto& study) {
        if (study) join(trials, expand(*study, maker, faults));
    };
    add(job.validation);
    if (job.isoflop.trunks && faults.sound({"isoflop", "validation", "recipe"}))
        trials = share_trunks(std::move(trials), "isoflop.trunks", maker, faults);
    add(job.schedules);
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
