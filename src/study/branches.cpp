#include "study/branches.hpp"

#include <algorithm>
#include <numeric>
#include <set>

namespace isogrid::study {

namespace {

/// The step after which a trial differs from one of constant learning rate and batch: where its decay begins
/// or its batch changes first; 0 where neither does.
std::int64_t departure_of(const Trial& trial) {
    const bool decays =
        trial.schedule.kind == ScheduleKind::warmup_stable_decay && trial.schedule.decay_steps > 0;
    if (!decays && trial.schedule.kind != ScheduleKind::constant) return 0;
    std::int64_t step = decays ? trial.steps - trial.schedule.decay_steps : 0;
    if (!trial.batch_schedule.empty())
        step = decays ? std::min(step, trial.batch_schedule.front().step) : trial.batch_schedule.front().step;
    return step;
}

std::vector<std::int64_t> up_to(std::vector<std::int64_t> steps, std::int64_t last) {
    std::erase_if(steps, [&](std::int64_t step) { return step > last; });
    return steps;
}

bool leaves(const Trial& branch, const Trial& trunk) {
    if (branch.shape != trunk.shape || branch.seed != trunk.seed) return false;
    const std::int64_t start = departure_of(branch);
    if (start <= trunk.schedule.warmup_steps || start > trunk.steps) return false;
    if (branch.schedule.warmup_steps != trunk.schedule.warmup_steps) return false;
    if (up_to(branch.evaluation.steps, start) != up_to(trunk.evaluation.steps, start)) return false;
    Trial rest = branch;
    rest.schedule = trunk.schedule;
    rest.steps = trunk.steps;
    rest.evaluation.steps = trunk.evaluation.steps;
    if (!rest.batch_schedule.empty()) {
        // Its curve has a row where its batch changes, which the trunk's has only where that is evaluated.
        const auto& evaluated = branch.evaluation.steps;
        if (std::find(evaluated.begin(), evaluated.end(), branch.batch_schedule.front().step) ==
            evaluated.end())
            return false;
        rest.batch_schedule.clear();
        rest.stop_loss = 0;
    }
    return rest == trunk;
}

}  // namespace

std::vector<Branch> branches_of(const PlannedTrial& trunk, const std::vector<PlannedTrial>& all) {
    std::vector<Branch> branches;
    const Trial& stem = trunk.trial;
    if (stem.schedule.kind != ScheduleKind::constant || stem.stop_loss > 0 || !stem.batch_schedule.empty())
        return branches;
    for (const PlannedTrial& planned : all)
        if (leaves(planned.trial, trunk.trial)) branches.push_back({&planned, departure_of(planned.trial)});
    return branches;
}

std::map<std::size_t, Departure> departures(const std::vector<PlannedTrial>& all,
                                            std::span<const std::size_t> trunks) {
    std::map<std::size_t, Departure> departures;
    for (const std::size_t trunk : trunks)
        for (const Branch& branch : branches_of(all.at(trunk), all))
            departures.try_emplace(static_cast<std::size_t>(branch.trial - all.data()),
                                   Departure{trunk, branch.step});
    return departures;
}

std::map<std::size_t, Departure> departures(const std::vector<PlannedTrial>& all) {
    std::vector<std::size_t> places(all.size());
    std::iota(places.begin(), places.end(), std::size_t{0});
    return departures(all, places);
}

BranchCosts branch_costs(const std::vector<PlannedTrial>& all) {
    BranchCosts costs;
    std::set<std::size_t> trunks;
    for (const auto& [place, departure] : departures(all)) {
        if (trunks.insert(departure.trunk).second)
            costs.shared += all[departure.trunk].flops(FlopConvention::exact);
        ++costs.branches;
        const double whole = all[place].flops(FlopConvention::exact);
        costs.apart += whole;
        costs.shared += whole * (1 - all[place].trial.part_done(departure.step));
    }
    costs.trunks = trunks.size();
    return costs;
}

}  // namespace isogrid::study
