// What a study will cost, before anything is trained.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cluster/sweep/left_to_do.hpp"
#include "study/study.hpp"

namespace isogrid::cluster {

/// What `plan` must be told about the machine: seconds of one step on one rank, nothing where that was not
/// timed, and bytes one rank needs.
struct Costs {
    std::function<std::optional<double>(const study::Trial&)> seconds_per_step;
    std::function<std::int64_t(const study::Trial&)> bytes;
};

struct PlannedCost {
    const study::PlannedTrial* trial = nullptr;
    double seconds = 0;  ///< on one rank, evaluations included, of what is left of it; of a branch from where
                         ///< it leaves its trunk; not a number where no step could be timed
    std::int64_t bytes = 0;  ///< on one rank
};

struct Plan {
    std::vector<PlannedCost> trials;  ///< in grid order
    double flops = 0;         ///< exact, all that is left, of branches what their trunks have not done
    double rank_seconds = 0;  ///< not a number where that of a trial is none; so are both below
    int ranks = 1;            ///< that train; a coordinator comes on top when there is more than one
    double makespan = 0;      ///< seconds, as the scheduler will do it
    double lower_bound = 0;   ///< seconds: no schedule is shorter

    double evaluation_share = 0;  ///< of the time, as FLOPs tell
    std::size_t kinds = 0;        ///< of steps: shape, batches, leaves
    std::size_t timed = 0;        ///< of these kinds; the others are as fast as the timed one nearest in size
    std::string why_untimed = "no step could be timed here";

    std::size_t done = 0;              ///< trials that need nothing more
    std::size_t from_states = 0;       ///< trials that go on from a state which a trunk has left behind
    std::int64_t card_bytes = 0;       ///< of the card that was planned on; 0: on processors
    int seats = 1;                     ///< trials that a card may have at once
    std::string instruction_set = {};  ///< of what steps were timed on; empty: they were not
};

/// Asks `costs` once for each shape, batch and number of leaves, in falling order of the work that is left in
/// them. `ranks` at least 1.
/// `study` must outlive the result. An evaluation counts as a third of a training step a token: the forward
/// of the three equal passes, one forward and two backward (Kaplan et al. 2020, section 2.1).
Plan make_plan(const study::Study& study, const Costs& costs, int ranks);

/// The same of what is left to do of a study.
Plan make_plan(const study::Study& study, const Costs& costs, int ranks, const LeftToDo& left);

/// Trials like this one that the planned card has room for at once, `plan.seats` at most.
int fit_on_card(const Plan& plan, const PlannedCost& cost);

/// The table of trials, totals and warnings. Columns that do not fit into `columns` are left out, the least
/// important first, and named below; all of them take less than 90.
std::string plan_text(const study::Study& study, const Plan& plan, int columns);

/// {"schema":"isogrid-plan/1", "study", "trials":[...], "totals":{...}, "warnings":[...]}.
std::string plan_json(const study::Study& study, const Plan& plan);

}  // namespace isogrid::cluster
