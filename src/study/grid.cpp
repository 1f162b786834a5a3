#include "study/grid.hpp"

#include <cassert>
#include <utility>

#include "study/expand.hpp"
#include "study/trunks.hpp"

namespace isogrid::study {

std::vector<PlannedTrial> expand_grid(const Job& job, const CorpusFacts& corpus,
                                      const ExactFlopsPerToken& exact_flops_per_token, JobFaults& faults) {
    std::vector<PlannedTrial> trials;
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
