// Studies made by hand for the tests of this folder: trials whose FLOPs are what a test says they are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "study/study.hpp"

namespace isogrid::cluster::test {

/// One trial a value, in this order: `flops[i]` exact FLOPs over 10 steps, on at most `leaves` ranks.
inline study::Study study_of(const std::vector<double>& flops, std::int64_t leaves = 1) {
    study::Study study;
    study.job.name = "small";
    study.job.text = "[study]\nname = \"small\"\n";
    for (std::size_t i = 0; i < flops.size(); ++i) {
        study::PlannedTrial planned;
        planned.name = std::string("t").append(std::to_string(i));
        study::Trial& trial = planned.trial;
        trial.shape = {.width = 8, .depth = 1, .heads = 1, .mlp_width = 16, .vocabulary = 256, .context = 4};
        trial.batch = leaves;
        trial.leaves = leaves;
        trial.steps = 10;
        trial.seed = i;  // tells the trials apart
        trial.evaluation = {.tokens = 8, .steps = {10}};
        planned.parameters = study::count_parameters(trial.shape);
        planned.flops_per_token =
            study::count_flops(trial.shape, flops[i] / static_cast<double>(trial.tokens()));
        study.grid.trials.push_back(planned);
    }
    return study;
}

inline std::vector<int> all_of(const study::Study& study) {
    std::vector<int> trials;
    for (std::size_t i = 0; i < study.grid.trials.size(); ++i)
        trials.push_back(static_cast<int>(i));
    return trials;
}

}  // namespace isogrid::cluster::test
