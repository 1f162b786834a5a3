#include "cluster/plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>

#include "cluster/priority.hpp"
#include "cluster/quantities.hpp"
#include "cluster/table.hpp"
#include "cluster/workload.hpp"

namespace isogrid::cluster {

namespace {

double tokens_per_parameter(const study::PlannedTrial& planned) {
    return static_cast<double>(planned.trial.tokens()) / static_cast<double>(planned.parameters.total());
}

/// The end as the scheduler will have it, and the lower bound: with groups of the size that the job asks for,
/// or else of its own choice.
std::pair<double, double> makespan(const study::Study& study, const std::vector<double>& seconds, int ranks) {
    const auto asked_for = static_cast<int>(study.job.ranks_per_trial);
    const int group = std::max(1, asked_for);
    const int slots = std::max(1, ranks / group);
    std::vector<Task> tasks;
    std::vector<Waiting> times;
    for (std::size_t i = 0; i < seconds.size(); ++i) {
        const study::PlannedTrial& planned = study.grid.trials[i];
        const int leaves = asked_for > 0 ? 1 : static_cast<int>(planned.trial.leaves);
        tasks.push_back({.trial = static_cast<int>(i), .most_ranks = leaves, .budget = planned.budget});
        times.push_back({seconds[i] / effective_ranks(group), leaves});
    }
    return {prioritize(tasks, times, std::vector<double>(static_cast<std::size_t>(slots), 0.0)).end,
            makespan_lower_bound(times, slots)};
}

std::string formatted(const char* pattern, double value) {
    char text[32];
    std::snprintf(text, sizeof text, pattern, value);
    return text;
}

}  // namespace

Plan make_plan(const study::Study& study, const Costs& costs, int ranks) {
    Plan plan;
    plan.ranks = ranks;
    std::map<std::string, std::pair<double, std::int64_t>>
        known;  // by the shape's label: in one study unique
    std::vector<double> seconds;
    for (const study::PlannedTrial& planned : study.grid.trials) {
        const auto [entry, is_new] = known.try_emplace(study::label(planned.trial.shape));
        if (is_new) entry->second = {costs.seconds_per_step(planned.trial), costs.bytes(planned.trial)};
        const auto [seconds_per_step, bytes] = entry->second;
        plan.trials.push_back({&planned, seconds_per_step * steps_worth(planned.trial), bytes});
        plan.flops += planned.flops(study::FlopConvention::exact);
        plan.rank_seconds += plan.trials.back().seconds;
        seconds.push_back(plan.trials.back().seconds);
    }
    std::tie(plan.makespan, plan.lower_bound) = makespan(study, seconds, ranks);
    return plan;
}

std::string plan_text(const study::Study& study, const Plan& plan, int columns) {
    // The order in which columns go when the terminal is narrow: the highest rank first.
    Table table({{"trial", Table::Align::left, 0},
                 {"parameters", Table::Align::right, 1},
                 {"tokens", Table::Align::right, 2},
                 {"tokens/par.", Table::Align::right, 5},
                 {"steps", Table::Align::right, 6},
                 {"FLOPs", Table::Align::right, 3},
                 {"memory", Table::Align::right, 7},
                 {"time", Table::Align::right, 4}});
    for (const auto& [planned, seconds, memory] : plan.trials)
        table.add({planned->name, std::to_string(planned->parameters.total()),
                   std::to_string(planned->trial.tokens()), formatted("%.1f", tokens_per_parameter(*planned)),
                   std::to_string(planned->trial.steps),
                   formatted("%.3e", planned->flops(study::FlopConvention::exact)),
                   bytes(static_cast<double>(memory)), duration(seconds)});
    std::string text = table.text(columns);

    text += "\n" + wrapped(std::to_string(plan.trials.size()) + " trials, " + formatted("%.3e", plan.flops) +
                               " FLOPs, " + duration(plan.rank_seconds) + " of one rank.",
                           columns);
    if (plan.ranks > 1)
        text += wrapped("On " + std::to_string(plan.ranks) + " ranks and one more that coordinates: " +
                            duration(plan.makespan) + ", longest first (no schedule takes less than " +
                            duration(plan.lower_bound) + ").",
                        columns);
    for (const std::string& warning : study.grid.warnings)
        text += wrapped("warning: " + warning, columns);
    return text;
}

std::string plan_json(const study::Study& study, const Plan& plan) {
    using Json = nlohmann::ordered_json;
    Json trials = Json::array();
    for (const auto& [planned, seconds, memory] : plan.trials) {
        Json flops;
        for (const study::FlopConvention convention : study::flop_conventions)
            flops[std::string(study::name(convention))] = planned->flops(convention);
        trials.push_back({{"name", planned->name},
                          {"shape", study::label(planned->trial.shape)},
                          {"budget", planned->budget},
                          {"parameters", planned->parameters.total()},
                          {"non_embedding_parameters", planned->parameters.non_embedding()},
                          {"tokens", planned->trial.tokens()},
                          {"tokens_per_parameter", tokens_per_parameter(*planned)},
                          {"steps", planned->trial.steps},
                          {"flops", flops},
                          {"memory_bytes", memory},
                          {"predicted_seconds", seconds}});
    }
    const Json json = {{"schema", "isogrid-plan/1"},
                       {"study", study.job.name},
                       {"trials", trials},
                       {"totals",
                        {{"trials", plan.trials.size()},
                         {"flops", plan.flops},
                         {"predicted_rank_seconds", plan.rank_seconds},
                         {"ranks", plan.ranks},
                         {"predicted_makespan_seconds", plan.makespan},
                         {"makespan_lower_bound_seconds", plan.lower_bound}}},
                       {"warnings", study.grid.warnings}};
    return json.dump(4) + "\n";
}

}  // namespace isogrid::cluster
