#include "cluster/sweep/plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json_text.hpp"
#include "base/wording.hpp"
#include "cluster/schedule/priority.hpp"
#include "cluster/schedule/workload.hpp"
#include "cluster/sweep/card_plan.hpp"
#include "cluster/sweep/sweep.hpp"
#include "program/paragraph.hpp"
#include "program/quantities.hpp"
#include "program/table.hpp"
#include "study/branches.hpp"

namespace isogrid::cluster {

using program::duration, program::plural, program::bytes, program::wrapped, program::Table;

namespace {

/// The end as the scheduler will have it, and the lower bound: with groups of the size that the job asks for,
/// or else of its own choice. A branch starts when its trunk has ended. `seconds` by place in the grid.
std::pair<double, double> makespan(const study::Study& study, const std::vector<int>& to_do,
                                   const History& history, const std::vector<double>& seconds, int ranks) {
    const auto asked_for = static_cast<int>(study.job.ranks_per_trial);
    const int group = std::max(1, asked_for);
    const int slots = std::max(1, ranks / group);
    std::vector<Task> tasks;
    std::vector<Waiting> times;
    for (const int trial : to_do) {
        const study::PlannedTrial& planned = study.grid.trials[static_cast<std::size_t>(trial)];
        const int leaves = asked_for > 0 ? 1 : static_cast<int>(planned.trial.leaves);
        tasks.push_back({.trial = trial, .most_ranks = leaves, .budget = planned.budget});
        times.push_back({seconds[static_cast<std::size_t>(trial)] / effective_ranks(group), leaves});
        for (auto trunk = history.trunks.find(trial); trunk != history.trunks.end();
             trunk = history.trunks.find(trunk->second)) {
            if (tasks.back().after < 0) tasks.back().after = trunk->second;
            times.back().ready_at +=
                seconds[static_cast<std::size_t>(trunk->second)] / effective_ranks(group);
        }
    }
    return {prioritize(tasks, times, std::vector<double>(static_cast<std::size_t>(slots), 0.0)).end,
            makespan_lower_bound(times, slots)};
}

/// How many trials cards have at once; nothing where each has one.
std::string packing_text(const study::Study& study, const Plan& plan) {
    if (plan.seats == 1) return "";
    int fewest = plan.seats, most = 1;
    for (const PlannedCost& cost : plan.trials) {
        fewest = std::min(fewest, fit_on_card(plan, cost));
        most = std::max(most, fit_on_card(plan, cost));
    }
    const std::string room = fewest == most ? std::to_string(most)
                                            : std::to_string(fewest) + " of the largest to " +
                                                  std::to_string(most) + " of the smallest";
    return "A card has memory for " + room + " trials at once; " +
           (study.job.trials_per_card > 0 ? "it gets as many (run.trials_per_card is " +
                                                std::to_string(study.job.trials_per_card) + ")."
                                          : "how many it gets, measured speeds decide.") +
           " Times, the end and its bound are of trials alone on their cards: what several at once gain is " +
           "measured while a sweep runs, and left out here.";
}

std::string formatted(const char* pattern, double value) {
    char text[32];
    std::snprintf(text, sizeof text, pattern, value);
    return text;
}

/// Of times that may not be known.
std::string duration_or(double seconds, std::string_view otherwise) {
    return std::isfinite(seconds) ? duration(seconds) : std::string(otherwise);
}

/// A kind of step, and what was found out about it.
struct Kind {
    const study::PlannedTrial* example = nullptr;
    double flops_left = 0;                                      ///< of all its trials
    double seconds = std::numeric_limits<double>::quiet_NaN();  ///< a step
    std::int64_t bytes = 0;
    bool timed = false;

    double size() const { return static_cast<double>(example->parameters.total()); }
    double flops_per_step() const {
        return example->flops_per_token.exact * static_cast<double>(example->trial.tokens_per_step());
    }
};

/// Times kinds, those with most work left first, and takes the others to be as fast as the timed one nearest
/// in size. How many were timed.
std::size_t find_seconds(std::vector<Kind*> kinds, const Costs& costs) {
    std::stable_sort(kinds.begin(), kinds.end(),
                     [](const Kind* one, const Kind* other) { return one->flops_left > other->flops_left; });
    std::vector<const Kind*> timed;
    for (Kind* kind : kinds) {
        if (kind->flops_left <= 0) continue;
        const std::optional<double> seconds = costs.seconds_per_step(kind->example->trial);
        if (!seconds) continue;
        kind->seconds = *seconds;
        kind->timed = true;
        timed.push_back(kind);
    }
    for (Kind* kind : kinds) {
        if (kind->timed || timed.empty()) continue;
        const auto distance = [&](const Kind* other) {
            return std::abs(std::log(other->size() / kind->size()));
        };
        const Kind& nearest = **std::min_element(
            timed.begin(), timed.end(),
            [&](const Kind* one, const Kind* other) { return distance(one) < distance(other); });
        kind->seconds = nearest.seconds * kind->flops_per_step() / nearest.flops_per_step();
    }
    return timed.size();
}

/// What a plan finds amiss beyond what its grid does.
std::vector<std::string> warnings_of(const study::Study& study, const Plan& plan) {
    std::vector<std::string> warnings = study.grid.warnings;
    constexpr double most = 1.0 / 3;
    if (plan.evaluation_share > most)
        warnings.push_back("evaluations take " + formatted("%.0f", 100 * plan.evaluation_share) +
                           "% of the time (evaluation.tokens is " +
                           std::to_string(study.job.evaluation.tokens) +
                           ", read before the first step and at " +
                           plural(static_cast<std::size_t>(study.job.evaluation.points), "point") +
                           " of each trial) lower evaluation.tokens or evaluation.points");
    return warnings;
}

/// What all trials take, and how that was found out.
std::string totals_text(const Plan& plan) {
    std::string text = plural(plan.trials.size(), "trial") + ", " + formatted("%.3e", plan.flops) + " FLOPs";
    if (std::isfinite(plan.rank_seconds)) {
        text += ", " + duration(plan.rank_seconds) + " of one rank";
        if (!plan.instruction_set.empty())
            text += ", as a step takes here now (" + plan.instruction_set + ")";
    } else {
        text += "; times and the end are not known: " + plan.why_untimed;
    }
    text += ". Evaluations take " + formatted("%.0f", 100 * plan.evaluation_share) + "% of the time.";
    if (plan.timed > 0 && plan.timed < plan.kinds)
        text += " Timed were " + std::to_string(plan.timed) + " of " + plural(plan.kinds, "kind") +
                " of steps (shape and batch); the others are taken to be as fast as the nearest in size.";
    return text;
}

/// What branches save; nothing where the study has none.
std::string branches_text(const study::Study& study, const Plan& plan) {
    const study::BranchCosts costs = study::branch_costs(study.grid.trials);
    if (costs.branches == 0) return "";
    const double without = plan.flops - costs.shared + costs.apart;
    return std::to_string(costs.branches) + (costs.branches == 1 ? " branch leaves " : " branches leave ") +
           std::to_string(costs.trunks) + (costs.trunks == 1 ? " trunk: " : " trunks: ") +
           formatted("%.3e", costs.shared) + " FLOPs where each starts after its trunk, " +
           formatted("%.1f", 100 * costs.shared / costs.apart) + "% of the " +
           formatted("%.3e", costs.apart) + " of as many separate runs of these lengths" +
           (study.job.isoflop.trunks ? ", under a cosine or straight through" : "") +
           ". The whole study takes " + formatted("%.1f", 100 * plan.flops / without) + "% of the " +
           formatted("%.3e", without) + " FLOPs that it would take without trunks.";
}

/// `1 trial is`, `2 trials are`.
std::string counted(std::size_t number, const std::string& thing) {
    return plural(number, thing) + (number == 1 ? " is" : " are");
}

}  // namespace

int fit_on_card(const Plan& plan, const PlannedCost& cost) {
    return plan.seats == 1 ? 1 : trials_that_fit(cost.bytes, plan.card_bytes, plan.seats);
}

Plan make_plan(const study::Study& study, const Costs& costs, int ranks) {
    LeftToDo all;
    all.trials.resize(study.grid.trials.size());
    std::iota(all.trials.begin(), all.trials.end(), 0);
    return make_plan(study, costs, ranks, all);
}

Plan make_plan(const study::Study& study, const Costs& costs, int ranks, const LeftToDo& left) {
    Plan plan;
    plan.ranks = ranks;
    plan.done = study.grid.trials.size() - left.trials.size();
    plan.from_states = left.from_states;
    std::map<StepKind, Kind> kinds;
    std::vector<Kind*> in_order, of_trial;
    const History history = with_trunks(left.history, study, left.trials);
    const std::set<int> to_do(left.trials.begin(), left.trials.end());
    std::vector<double> parts;
    double worth = 0, evaluated = 0;
    for (std::size_t i = 0; i < study.grid.trials.size(); ++i) {
        const study::PlannedTrial& planned = study.grid.trials[i];
        const study::Trial& trial = planned.trial;
        const auto [entry, is_new] = kinds.try_emplace(step_kind(trial));
        Kind& kind = entry->second;
        if (is_new) {
            kind.example = &planned;
            kind.bytes = costs.bytes(trial);
            in_order.push_back(&kind);
        }
        of_trial.push_back(&kind);
        const auto place = static_cast<int>(i);
        parts.push_back(to_do.contains(place) ? part_left(study, place, history) : 0);
        const double trained = parts[i] * planned.flops(study::FlopConvention::exact);
        const double all = parts[i] * steps_worth(trial) * planned.flops_per_token.exact *
                           static_cast<double>(trial.tokens_per_step());
        kind.flops_left += all;
        plan.flops += trained;
        worth += all;
        evaluated += all - trained;
    }
    plan.kinds = in_order.size();
    plan.timed = find_seconds(in_order, costs);
    if (worth > 0) plan.evaluation_share = std::max(0.0, evaluated) / worth;
    std::vector<double> seconds;
    for (std::size_t i = 0; i < study.grid.trials.size(); ++i) {
        const study::PlannedTrial& planned = study.grid.trials[i];
        seconds.push_back(parts[i] > 0 ? parts[i] * of_trial[i]->seconds * steps_worth(planned.trial) : 0);
        plan.trials.push_back({&planned, seconds[i], of_trial[i]->bytes});
        plan.rank_seconds += seconds[i];
    }
    if (std::isfinite(plan.rank_seconds))
        std::tie(plan.makespan, plan.lower_bound) = makespan(study, left.trials, history, seconds, ranks);
    else
        plan.makespan = plan.lower_bound = std::numeric_limits<double>::quiet_NaN();
    return plan;
}

std::string plan_text(const study::Study& study, const Plan& plan, int columns) {
    // The order in which columns go when the terminal is narrow: the highest rank first.
    Table table({{"trial", Table::Align::left, 0},
                 {"parameters", Table::Align::right, 1},
                 {"tokens", Table::Align::right, 2},
                 {"D/N", Table::Align::right, 6},  // tokens a parameter, as in docs/methods.md
                 {"steps", Table::Align::right, 7},
                 {"FLOPs", Table::Align::right, 3},
                 {"memory", Table::Align::right, 5},
                 {"time", Table::Align::right, 4}});
    for (const auto& [planned, seconds, memory] : plan.trials)
        table.add({planned->name, std::to_string(planned->parameters.total()),
                   std::to_string(planned->trial.tokens()),
                   formatted("%.3g", planned->tokens_per_parameter()), std::to_string(planned->trial.steps),
                   formatted("%.3e", planned->flops(study::FlopConvention::exact)),
                   bytes(static_cast<double>(memory)), duration_or(seconds, "-")});
    std::string text = table.text(columns) + "\n";
    const auto add = [&](const std::string& paragraph) {
        if (!paragraph.empty()) text += wrapped("", paragraph, 2, columns);
    };
    if (const std::vector<std::string> left_out = table.left_out(columns); !left_out.empty())
        add("Not shown in " + std::to_string(columns) + " columns: " + base::listed(left_out) +
            "; widen the terminal, or take --json.");
    add(totals_text(plan));
    if (plan.ranks > 1 && std::isfinite(plan.makespan))
        add("With " + std::to_string(plan.ranks) + " ranks that train (start " +
            std::to_string(plan.ranks + 1) + ", as one coordinates): " + duration(plan.makespan) +
            "; no schedule takes less than " + duration(plan.lower_bound) + ".");
    add(packing_text(study, plan));
    if (plan.done > 0 || plan.from_states > 0)
        add("This is what is left: " + counted(plan.done, "trial") + " done before, " +
            counted(plan.from_states, "trial") + " to go on from states that trunks have left.");
    else
        add(branches_text(study, plan));
    for (const std::string& warning : warnings_of(study, plan))
        add("warning: " + warning);
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
                          {"tokens_per_parameter", planned->tokens_per_parameter()},
                          {"steps", planned->trial.steps},
                          {"flops", flops},
                          {"memory_bytes", memory},
                          {"predicted_seconds", seconds}});
        if (plan.seats > 1) trials.back()["fit_on_a_card"] = fit_on_card(plan, {planned, seconds, memory});
    }
    const study::BranchCosts branches = study::branch_costs(study.grid.trials);
    const Json json = {{"schema", "isogrid-plan/1"},
                       {"study", study.job.name},
                       {"trials", trials},
                       {"totals",
                        {{"trials", plan.trials.size()},
                         {"done", plan.done},
                         {"from_states", plan.from_states},
                         {"flops", plan.flops},
                         {"trunks", branches.trunks},
                         {"branches", branches.branches},
                         {"trunk_and_branch_flops", branches.shared},
                         {"separate_flops", branches.apart},
                         {"evaluation_share", plan.evaluation_share},
                         {"predicted_rank_seconds", plan.rank_seconds},
                         {"kinds_of_steps", plan.kinds},
                         {"kinds_timed", plan.timed},
                         {"ranks", plan.ranks},
                         {"predicted_makespan_seconds", plan.makespan},
                         {"makespan_lower_bound_seconds", plan.lower_bound}}},
                       {"warnings", warnings_of(study, plan)}};
    return base::json_text(json, 4);
}

}  // namespace isogrid::cluster
