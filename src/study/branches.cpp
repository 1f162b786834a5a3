#include "study/branches.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

namespace isogrid::study {

namespace {

/// The last step after which a trial is one of constant learning rate and batch; 0 where it never is.
std::int64_t constant_until(const Trial& trial) {
    std::int64_t step = trial.steps;
    if (trial.schedule.kind == ScheduleKind::warmup_stable_decay)
        step -= trial.schedule.decay_steps;
    else if (trial.schedule.kind != ScheduleKind::constant)
        return 0;
    if (!trial.batch_schedule.empty())
        step = std::min(step, trial.batch_schedule.front().step);
    else if (trial.stop_loss > 0)
        return 0;
    return step;
}

bool is_constant(const Trial& trial) {
    return trial.schedule.kind == ScheduleKind::constant && trial.batch_schedule.empty() &&
           trial.stop_loss == 0;
}

/// Trials that differ here have no state in common; most pairs of a grid do.
auto kinship(const Trial& trial) {
    return std::tuple(trial.shape.width, trial.shape.depth, trial.seed, trial.batch,
                      trial.schedule.warmup_steps, trial.optimizer.learning_rate);
}

/// The last step after which both have the same state; 0 where there is none.
std::int64_t shared_until(const Trial& one, const Trial& other) {
    if (kinship(one) != kinship(other)) return 0;
    const std::int64_t end = std::min(constant_until(one), constant_until(other));
    const auto& steps = one.evaluation.steps;
    const auto differ = std::mismatch(steps.begin(), steps.end(), other.evaluation.steps.begin(),
                                      other.evaluation.steps.end());
    const auto beyond = std::upper_bound(steps.begin(), differ.first, end);
    if (beyond == steps.begin()) return 0;
    const std::int64_t step = *std::prev(beyond);
    const auto of_one = beginning(one, step);
    return of_one && of_one == beginning(other, step) ? step : 0;
}

/// Those of the trials at `places`, which rise.
std::vector<Branch> branches_among(std::span<const std::size_t> places, std::size_t trunk,
                                   const std::vector<PlannedTrial>& all) {
    std::vector<Branch> branches;
    const Trial& stem = all.at(trunk).trial;
    if (!is_constant(stem)) return branches;
    for (const std::size_t i : places) {
        const Trial& trial = all[i].trial;
        if (i == trunk || (i < trunk && is_constant(trial))) continue;
        if (const std::int64_t step = shared_until(stem, trial);
            step > 0 && 2 * step >= constant_until(trial))
            branches.push_back({&all[i], step});
    }
    return branches;
}

std::vector<std::size_t> every_place(const std::vector<PlannedTrial>& all) {
    std::vector<std::size_t> places(all.size());
    std::iota(places.begin(), places.end(), std::size_t{0});
    return places;
}

}  // namespace

std::optional<Trial> beginning(const Trial& trial, std::int64_t step) {
    if (step <= trial.schedule.warmup_steps || step > constant_until(trial)) return std::nullopt;
    const auto& evaluated = trial.evaluation.steps;
    const auto last = std::lower_bound(evaluated.begin(), evaluated.end(), step);
    if (last == evaluated.end() || *last != step) return std::nullopt;
    Trial begun = trial;
    begun.schedule = {.kind = ScheduleKind::constant, .warmup_steps = trial.schedule.warmup_steps};
    begun.evaluation.steps.assign(evaluated.begin(), std::next(last));
    begun.batch_schedule.clear();
    begun.stop_loss = 0;
    begun.steps = step;
    return begun;
}

bool is_beginning_of_one(const Trial& trial, const std::vector<PlannedTrial>& all) {
    const auto whole = beginning(trial, trial.steps);
    return whole && std::any_of(all.begin(), all.end(), [&](const PlannedTrial& planned) {
               return planned.trial.steps > trial.steps && beginning(planned.trial, trial.steps) == whole;
           });
}

std::vector<Branch> branches_of(std::size_t trunk, const std::vector<PlannedTrial>& all) {
    return branches_among(every_place(all), trunk, all);
}

std::vector<std::vector<Branch>> branches_of_each(std::span<const std::size_t> trunks,
                                                  const std::vector<PlannedTrial>& all) {
    std::map<decltype(kinship(Trial{})), std::vector<std::size_t>> kin;
    for (std::size_t i = 0; i < all.size(); ++i)
        kin[kinship(all[i].trial)].push_back(i);
    std::vector<std::vector<Branch>> branches;
    for (const std::size_t trunk : trunks)
        branches.push_back(branches_among(kin.at(kinship(all.at(trunk).trial)), trunk, all));
    return branches;
}

std::map<std::size_t, Departure> departures(const std::vector<PlannedTrial>& all,
                                            std::span<const std::size_t> trunks) {
    std::map<std::size_t, Departure> departures;
    const auto branches = branches_of_each(trunks, all);
    for (std::size_t i = 0; i < trunks.size(); ++i)
        for (const Branch& branch : branches[i]) {
            Departure& furthest = departures[static_cast<std::size_t>(branch.trial - all.data())];
            if (branch.step > furthest.step) furthest = {trunks[i], branch.step};
        }
    return departures;
}

std::map<std::size_t, Departure> departures(const std::vector<PlannedTrial>& all) {
    return departures(all, every_place(all));
}

BranchCosts branch_costs(const std::vector<PlannedTrial>& all) {
    BranchCosts costs;
    const auto found = departures(all);
    std::set<std::size_t> trunks;
    for (const auto& [place, departure] : found)
        trunks.insert(departure.trunk);
    for (const std::size_t trunk : trunks)
        if (!found.contains(trunk)) costs.shared += all[trunk].flops(FlopConvention::exact);
    for (const auto& [place, departure] : found) {
        const double whole = all[place].flops(FlopConvention::exact);
        costs.shared += whole * (1 - all[place].trial.part_done(departure.step));
        if (trunks.contains(place)) continue;
        ++costs.branches;
        costs.apart += whole;
    }
    costs.trunks = trunks.size();
    return costs;
}

}  // namespace isogrid::study
