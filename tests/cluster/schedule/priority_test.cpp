#include "cluster/schedule/priority.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "list_schedule.hpp"

using namespace isogrid::cluster;
using testing::ElementsAre;

namespace {

struct Trials {
    std::vector<Task> tasks;
    std::vector<Waiting> times;

    void add(double seconds, double budget = 0, int after = -1) {
        tasks.push_back({.trial = static_cast<int>(tasks.size()), .budget = budget, .after = after});
        times.push_back({seconds, 1});
    }
    Priorities on(std::size_t ranks) const {
        return prioritize(tasks, times, std::vector<double>(ranks, 0.0));
    }
};

}  // namespace

TEST(Priority, isLongestFirstAndTiesByTrial) {
    Trials trials;
    for (const double seconds : {1, 5, 5, 7})
        trials.add(seconds);
    EXPECT_THAT(trials.on(1).order, ElementsAre(3, 1, 2, 0));
}

TEST(Priority, countsATrunkWithTheLongestOfItsBranches) {
    Trials trials;
    trials.add(6);        // longer than the trunk, shorter than trunk and branch
    trials.add(4);        // the trunk
    trials.add(3, 0, 1);  // its branches
    trials.add(1, 0, 1);
    trials.add(2, 0, 2);  // a branch of a branch
    EXPECT_THAT(longest_chain_first(trials.tasks, trials.times), ElementsAre(1, 0, 2, 4, 3))
        << "4 + 3 + 2, 6, 3 + 2, 2, 1";
}

TEST(Priority, putsTheCheapestBudgetsFirstWhereThatCostsNothing) {
    // 3 budgets on one rank: any order ends at the same time.
    Trials trials;
    for (const double budget : {9, 3, 1})
        for (int i = 0; i < 2; ++i)
            trials.add(budget, budget);
    const Priorities one = trials.on(1);
    EXPECT_THAT(one.order, ElementsAre(4, 5, 2, 3, 0, 1));
    EXPECT_DOUBLE_EQ(one.end, 26);
}

TEST(Priority, keepsLongestFirstWhereItEndsSooner) {
    // Two ranks: 9 | 3 3 3 ends at 9, with the 3s first at 12.
    Trials trials;
    trials.add(9, 9);
    for (int i = 0; i < 3; ++i)
        trials.add(3, 3);
    const Priorities two = trials.on(2);
    EXPECT_THAT(two.order, ElementsAre(0, 1, 2, 3));
    EXPECT_DOUBLE_EQ(two.end, 9);
}

TEST(Priority, endsWithinWhatWholeBudgetsAreWorth) {
    for (const int ranks : {1, 2, 3, 5, 8}) {
        Trials trials;
        std::vector<double> seconds;
        for (int i = 0; i < 60; ++i) {
            seconds.push_back(1 + (i % 6) * (i % 6) * 0.7 + 0.01 * i);
            trials.add(seconds.back(), 1 + i % 6);
        }
        EXPECT_LE(trials.on(static_cast<std::size_t>(ranks)).end,
                  early_budgets_worth * test::longest_first_makespan(seconds, ranks))
            << ranks;
    }
}
