#include "cluster/schedule/workload.hpp"

#include <set>

namespace isogrid::cluster {

namespace {

// Simulated sweeps of uneven trials and speeds (tests/cluster/coordination/coordinator_test.cpp) end within
// 3% of the work evenly shared from 8 trials a worker on, whatever is known at the start.
constexpr std::size_t plenty = 8;          // trials a worker
constexpr double worthwhile_flops = 2e12;  // of a worker: some 10 to 100 seconds; timing a shape takes 0.2

}  // namespace

StepKind step_kind(const study::Trial& trial) {
    return {study::label(trial.shape), trial.batch, trial.stage_after(trial.steps).batch, trial.leaves};
}

std::vector<int> worth_measuring(const study::Study& study, int workers) {
    const auto& trials = study.grid.trials;
    double flops = 0;
    for (const study::PlannedTrial& planned : trials)
        flops += planned.flops(study::FlopConvention::exact);
    std::vector<int> chosen;
    if (trials.size() >= plenty * static_cast<std::size_t>(workers) || flops < worthwhile_flops * workers)
        return chosen;
    std::set<std::string> shapes;
    for (std::size_t i = 0; i < trials.size(); ++i)
        if (shapes.insert(study::label(trials[i].trial.shape)).second) chosen.push_back(static_cast<int>(i));
    return chosen;
}

}  // namespace isogrid::cluster
