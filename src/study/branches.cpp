#include "study/branches.hpp"

#include <algorithm>
#include <set>

namespace isogrid::study {

namespace {

/// The step after which the decay of a trial begins; 0 where it has none.
std::int64_t decay_start(const Trial& trial) {
    const bool decays =
        trial.schedule.kind == ScheduleKind::warmup_stable_decay && trial.schedule.decay_steps > 0;
    return decays ? trial.steps - trial.schedule.decay_steps : 0;
}

std::vector<std::int64_t> up_to(std::vector<std::int64_t> steps, std::int64_t last) {
    std::erase_if(steps, [&](std::int64_t step) { return step > last; });
    return steps;
}

bool leaves(const Trial& branch, const Trial& trunk) {
    const std::int64_t start = decay_start(branch);
    if (start <= trunk.schedule.warmup_steps || start > trunk.steps) return false;
    if (branch.schedule.warmup_steps != trunk.schedule.warmup_steps) return false;
    if (up_to(branch.evaluation.steps, start) != up_to(trunk.evaluation.steps, start)) return false;
    Trial rest = branch;
    rest.schedule = trunk.schedule;
    rest.steps = trunk.steps;
    rest.evaluation.steps = trunk.evaluation.steps;
    return rest == trunk;
}

}  // namespace

std::vector<Branch> branches_of(const PlannedTrial& trunk, const std::vector<PlannedTrial>& all) {
    std::vector<Branch> branches;
    if (trunk.trial.schedule.kind != ScheduleKind::constant || trunk.trial.stop_loss > 0) return branches;
    for (const PlannedTrial& planned : all)
        if (leaves(planned.trial, trunk.trial)) branches.push_back({&planned, decay_start(planned.trial)});
    return branches;
}

BranchCosts branch_costs(const std::vector<PlannedTrial>& all) {
    BranchCosts costs;
    std::set<const PlannedTrial*> known;
    for (const PlannedTrial& trunk : all) {
        const std::vector<Branch> branches = branches_of(trunk, all);
        if (branches.empty()) continue;
        ++costs.trunks;
        costs.shared += trunk.flops(FlopConvention::exact);
        for (const Branch& branch : branches) {
            if (!known.insert(branch.trial).second) continue;
            ++costs.branches;
            const double whole = branch.trial->flops(FlopConvention::exact);
            const auto steps = static_cast<double>(branch.trial->trial.steps);
            costs.apart += whole;
            costs.shared += whole * (1 - static_cast<double>(branch.step) / steps);
        }
    }
    return costs;
}

}  // namespace isogrid::study
