#include "cluster/schedule/allotment.hpp"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "list_schedule.hpp"

using namespace isogrid::cluster;
using testing::Each;
using testing::ElementsAre;

namespace {

Allotment on(std::vector<double> free_at, const std::vector<double>& seconds, int most_ranks) {
    std::vector<Waiting> trials;
    for (const double one : seconds)
        trials.push_back({one, most_ranks});
    return allot(trials, std::move(free_at));
}

const double two = effective_ranks(2), four = effective_ranks(4);

}  // namespace

TEST(Allotment, isOneRankATrialWhereThatIsAsGood) {
    const Allotment even = on({0, 0}, {2, 2, 1, 1, 1, 1}, 4);
    EXPECT_THAT(even.ranks, Each(1));
    EXPECT_DOUBLE_EQ(even.end, 4);
    std::vector<double> many;
    for (int i = 1; i <= 200; ++i)
        many.push_back(200.0 / i);
    const Allotment plenty = on({0, 0, 0}, many, 4);
    EXPECT_THAT(plenty.ranks, Each(1));
    EXPECT_DOUBLE_EQ(plenty.end, test::longest_first_makespan(many, 3));
}

TEST(Allotment, givesMoreRanksToATrialThatIsLongerThanItsShare) {
    const Allotment allotment = on({0, 0, 0, 0}, {8, 1, 1, 1, 1}, 8);
    EXPECT_THAT(allotment.ranks, ElementsAre(4, 1, 1, 1, 1));
    EXPECT_DOUBLE_EQ(allotment.end, 8 / four + 1);
}

TEST(Allotment, letsTheLastTrialBeSharedWhereOthersWouldIdle) {
    const Allotment allotment = on({0, 0}, {3, 3, 3}, 2);
    EXPECT_THAT(allotment.ranks, ElementsAre(1, 1, 2));
    EXPECT_DOUBLE_EQ(allotment.end, 3 + 3 / two);
}

TEST(Allotment, waitsForRanksOnlyWhereThatIsSooner) {
    const Allotment soon = on({0, 0.5}, {10}, 2);
    EXPECT_THAT(soon.ranks, ElementsAre(2));
    EXPECT_DOUBLE_EQ(soon.end, 0.5 + 10 / two);
    EXPECT_THAT(on({0, 9}, {10}, 2).ranks, ElementsAre(1));
}

TEST(Allotment, keepsToTheLeavesAndToTheRanksThereAre) {
    EXPECT_THAT(on({0, 0, 0, 0}, {8}, 2).ranks, ElementsAre(2));
    EXPECT_THAT(on({0, 0, 0}, {8}, 8).ranks, ElementsAre(2)) << "groups are powers of two";
    EXPECT_THAT(on({0}, {8, 4}, 8).ranks, ElementsAre(1, 1));
}

TEST(Allotment, endsNoLaterThanOneRankATrial) {
    for (const int ranks : {1, 2, 3, 5, 8, 13, 31})
        for (const int most_ranks : {1, 2, 4, 16})
            for (const int count : {1, 2, 7, 28}) {
                std::vector<double> seconds;
                for (int i = count; i > 0; --i)
                    seconds.push_back(std::pow(1.4, i) + i % 3);
                std::sort(seconds.rbegin(), seconds.rend());
                const Allotment allotment =
                    on(std::vector<double>(static_cast<std::size_t>(ranks), 0.0), seconds, most_ranks);
                EXPECT_LE(allotment.end, test::longest_first_makespan(seconds, ranks));
                for (const int size : allotment.ranks) {
                    EXPECT_LE(size, most_ranks);
                    EXPECT_LE(size, ranks);
                }
            }
}

TEST(Allotment, ofNothingEndsWhenTheRanksAreFree) {
    EXPECT_DOUBLE_EQ(on({1, 3}, {}, 1).end, 3);
    EXPECT_DOUBLE_EQ(effective_ranks(1), 1);
    EXPECT_DOUBLE_EQ(two, 2 * usual_doubling_efficiency);
    EXPECT_DOUBLE_EQ(four, 4 * usual_doubling_efficiency * usual_doubling_efficiency);
}

TEST(Allot, asksOfATrialHowMuchAGroupIsWorthToIt) {
    const std::vector<double> two_ranks(2, 0.0);
    EXPECT_DOUBLE_EQ(
        allot(std::vector<Waiting>{{.seconds = 7, .most_ranks = 2, .doubling_efficiency = 0.7}}, two_ranks)
            .end,
        7 / 1.4);
    // No faster with two: not worth a group.
    EXPECT_EQ(
        allot(std::vector<Waiting>{{.seconds = 7, .most_ranks = 2, .doubling_efficiency = 0.5}}, two_ranks)
            .ranks,
        std::vector<int>{1});
}

TEST(LowerBound, isTheWorkEvenlySharedOrTheLongestTrial) {
    // Bisected to 1e-9 of itself.
    EXPECT_NEAR(makespan_lower_bound(std::vector<Waiting>{{3, 1}, {1, 1}, {2, 1}}, 1), 6, 6e-9);
    EXPECT_NEAR(makespan_lower_bound(std::vector<Waiting>{{3, 1}, {1, 1}, {2, 1}}, 2), 3, 3e-9);
    EXPECT_NEAR(makespan_lower_bound(std::vector<Waiting>{{3, 1}, {1, 1}, {2, 1}}, 100), 3, 3e-9);
    EXPECT_EQ(makespan_lower_bound(std::vector<Waiting>{}, 4), 0);
}

TEST(LowerBound, countsWhatAGroupLoses) {
    // 8 s alone, and 4 ranks: 8 / four if all share it, and more than the 2 s of the work evenly shared.
    EXPECT_NEAR(makespan_lower_bound(std::vector<Waiting>{{8, 8}}, 4), 8 / four, 8e-9);
    EXPECT_NEAR(makespan_lower_bound(std::vector<Waiting>{{8, 2}}, 4), 8 / two, 8e-9);
}

TEST(LowerBound, letsATrialSpendItsTimeInGroupsOfTwoSizes) {
    // Two trials of 3 s take turns to have two of three ranks: a speed of 1 + two together.
    EXPECT_NEAR(makespan_lower_bound(std::vector<Waiting>{{3, 2}, {3, 2}}, 3), 6 / (1 + two), 6e-9);
    EXPECT_LT(6 / (1 + two), 2 * 2 * (3 / two) / 3) << "than the work of both on two ranks, evenly shared";
}

TEST(LowerBound, isBelowEveryAllotmentAndReachedByEvenOnes) {
    for (const int ranks : {1, 2, 5, 8, 31})
        for (const int most_ranks : {1, 4, 16}) {
            std::vector<Waiting> trials;
            for (int i = 40; i > 0; --i)
                trials.push_back({std::pow(1.15, i), most_ranks});
            const Allotment allotment = allot(trials, std::vector<double>(std::size_t(ranks), 0.0));
            EXPECT_LE(makespan_lower_bound(trials, ranks), allotment.end) << ranks << ", " << most_ranks;
        }
    EXPECT_NEAR(makespan_lower_bound(std::vector<Waiting>(12, {2, 4}), 4), 6, 6e-9);
}

TEST(LowerBound, waitsForWhatCannotStartYet) {
    EXPECT_NEAR(makespan_lower_bound(std::vector<Waiting>{{3, 1, 5}}, 2), 8, 8e-9);
}
