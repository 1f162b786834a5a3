#include "study/trunks.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

namespace isogrid::study {

namespace {

/// Cells of one shape and seed, by their places.
using Family = std::vector<std::size_t>;

std::vector<Family> families_of(const Trials& cells) {
    std::map<std::pair<std::string, std::uint64_t>, std::size_t> known;
    std::vector<Family> families;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const Trial& trial = cells[i].trial;
        const auto [entry, is_new] = known.try_emplace({label(trial.shape), trial.seed}, families.size());
        if (is_new) families.emplace_back();
        families[entry->second].push_back(i);
    }
    return families;
}

/// The step after which each cell of a family decays, under the warm-up of the shortest.
std::vector<std::int64_t> set_schedules(const Family& family, const Recipe& recipe, Trials& cells) {
    std::int64_t shortest = cells[family.front()].trial.steps;
    for (const std::size_t place : family)
        shortest = std::min(shortest, cells[place].trial.steps);
    std::vector<std::int64_t> starts;
    for (const std::size_t place : family) {
        Trial& trial = cells[place].trial;
        if (recipe.warmup_tokens == 0)
            trial.schedule.warmup_steps = steps_of(recipe.warmup_fraction, shortest);
        trial.schedule.decay_steps = steps_of(recipe.decay_fraction, trial.steps);
        starts.push_back(trial.steps - trial.schedule.decay_steps);
    }
    return starts;
}

PlannedTrial trunk_of(const PlannedTrial& longest, const std::vector<std::int64_t>& starts,
                      const std::string& seed) {
    PlannedTrial trunk = longest;
    const Shape& shape = longest.trial.shape;
    trunk.name = "b-trunk-w" + std::to_string(shape.width) + "-d" + std::to_string(shape.depth) + seed;
    trunk.studies = {std::string(trunk_study)};
    trunk.budget = 0;
    Trial& trial = trunk.trial;
    trial.steps = *std::max_element(starts.begin(), starts.end());
    trial.schedule.kind = ScheduleKind::constant;
    trial.schedule.decay_steps = 0;
    trial.evaluation.steps = trunk_evaluations(starts, trial.steps);
    return trunk;
}

}  // namespace

std::vector<std::int64_t> trunk_evaluations(const std::vector<std::int64_t>& starts, std::int64_t end) {
    std::vector<std::int64_t> steps = starts;
    for (double exact = 16; exact < static_cast<double>(end); exact *= std::sqrt(2.0))
        steps.push_back(std::llround(exact));
    steps.push_back(end);
    std::sort(steps.begin(), steps.end());
    steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
    steps.erase(std::upper_bound(steps.begin(), steps.end(), end), steps.end());
    return steps;
}

std::vector<std::int64_t> branch_evaluations(const std::vector<std::int64_t>& starts, std::int64_t start,
                                             std::int64_t end, std::int64_t points) {
    std::vector<std::int64_t> steps = trunk_evaluations(starts, start);
    for (std::int64_t i = 1; i <= points; ++i)
        if (const std::int64_t step = start + (end - start) * i / points; step > steps.back())
            steps.push_back(step);
    return steps;
}

Trials share_trunks(Trials cells, const std::string& key, const TrialMaker& maker, JobFaults& faults) {
    const Job& job = maker.job();
    const bool several_seeds = std::any_of(cells.begin(), cells.end(), [&](const PlannedTrial& planned) {
        return planned.trial.seed != job.seed;
    });
    Trials trunks;
    for (const Family& family : families_of(cells)) {
        const std::vector<std::int64_t> starts = set_schedules(family, job.recipe, cells);
        const PlannedTrial* longest = &cells[family.front()];
        for (std::size_t i = 0; i < family.size(); ++i) {
            PlannedTrial& cell = cells[family[i]];
            if (starts[i] <= cell.trial.schedule.warmup_steps) {
                faults.add(key, cell.name + " would decay before it is warm",
                           "its decay begins after step " + std::to_string(starts[i]) +
                               ", the warm-up of its shape takes " +
                               std::to_string(cell.trial.schedule.warmup_steps),
                           "shorten the warm-up or the decay");
                return {};
            }
            cell.trial.evaluation.steps =
                branch_evaluations(starts, starts[i], cell.trial.steps, job.evaluation.points);
            if (cell.trial.steps > longest->trial.steps) longest = &cell;
        }
        const auto repeat = static_cast<std::int64_t>(longest->trial.seed - job.seed) + 1;
        if (family.size() > 1)
            trunks.push_back(trunk_of(*longest, starts, several_seeds ? "-s" + std::to_string(repeat) : ""));
    }
    if (trunks.empty() && !cells.empty()) {
        faults.add(key, "nothing would share a trunk", "no shape has two budgets",
                   "add budgets, widen isoflop.tokens_per_parameter, or set trunks = false");
        return {};
    }
    cells.insert(cells.end(), std::make_move_iterator(trunks.begin()), std::make_move_iterator(trunks.end()));
    return cells;
}

}  // namespace isogrid::study
