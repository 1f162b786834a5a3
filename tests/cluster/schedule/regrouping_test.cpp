#include "cluster/schedule/regrouping.hpp"

#include <gtest/gtest.h>

using namespace isogrid::cluster;
using Paused = std::vector<Regrouping::Change>;

namespace {

constexpr double cost = 3;

/// A trial on one rank that takes so many seconds more, and can have up to `most_ranks`.
InProgress alone(double seconds, int most_ranks) {
    return {.end = seconds, .seconds = seconds, .ranks = 1, .most_ranks = most_ranks};
}

}  // namespace

TEST(Regrouping, givesIdleRanksToATrialThatIsLate) {
    const std::vector running{alone(100, 4)};
    const Regrouping regrouping = regroup(running, {}, std::vector<double>(3, 0.0), cost);
    EXPECT_EQ(regrouping.paused, (Paused{{0, 4, cost}}));
    EXPECT_DOUBLE_EQ(regrouping.end, cost + 100 / effective_ranks(4));
}

TEST(Regrouping, sharesIdleRanksAmongTrialsThatAreEquallyLate) {
    const std::vector running{alone(100, 16), alone(110, 16)};
    const Regrouping regrouping = regroup(running, {}, std::vector<double>(6, 0.0), cost);
    EXPECT_EQ(regrouping.paused, (Paused{{1, 4, cost}, {0, 4, cost}}));
    EXPECT_DOUBLE_EQ(regrouping.end, cost + 110 / effective_ranks(4));
}

TEST(Regrouping, leavesTrialsThatEndInTimeWhereTheyAre) {
    const std::vector running{alone(100, 4), alone(20, 4)};
    const Regrouping regrouping = regroup(running, {}, std::vector<double>(3, 0.0), cost);
    EXPECT_EQ(regrouping.paused, (Paused{{0, 4, cost}}));
}

TEST(Regrouping, asksNobodyWhileOtherTrialsFillTheRanks) {
    const std::vector running{alone(100, 2)};
    const std::vector<Waiting> waiting(10, Waiting{.seconds = 30});  // 400 rank-seconds on 2 ranks
    EXPECT_EQ(regroup(running, waiting, std::vector{0.0}, cost).paused, Paused{});
}

TEST(Regrouping, growsALongTrialBeforeTheShortOnesHaveRunOut) {
    const std::vector running{alone(200, 2)};
    const std::vector<Waiting> waiting(4, Waiting{.seconds = 10});  // 240 rank-seconds on 2 ranks
    EXPECT_EQ(regroup(running, waiting, std::vector{0.0}, cost).paused, (Paused{{0, 2, cost}}));
}

TEST(Regrouping, isNotWorthItForLessThanTwiceItsCost) {
    // On two ranks 12 s take 12 / 1.88 = 6.4, and with the cost 9.4: sooner by less than 6 s.
    EXPECT_EQ(regroup(std::vector{alone(12, 2)}, {}, std::vector{0.0}, cost).paused, Paused{});
    EXPECT_EQ(regroup(std::vector{alone(40, 2)}, {}, std::vector{0.0}, cost).paused.size(), 1u);
}

TEST(Regrouping, hasNoRanksForATrialWhoseLeavesAreFew) {
    EXPECT_EQ(regroup(std::vector{alone(100, 1)}, {}, std::vector<double>(3, 0.0), cost).paused, Paused{});
}

TEST(Regrouping, endsWhereWhatNobodyMayPauseEndsLast) {
    // A card with several trials is free after 300 s, whatever becomes of the others.
    EXPECT_EQ(regroup(std::vector{alone(200, 2)}, {}, std::vector{300.0}, cost).paused, Paused{});
    EXPECT_EQ(regroup({}, {}, {}, cost).paused, Paused{});
}

TEST(Regrouping, doesNotPauseATrialLongBeforeItsNewRanksAreFree) {
    const std::vector late{alone(300, 2), alone(100, 1)};
    EXPECT_EQ(regroup(late, {}, {}, cost).paused, Paused{}) << "its rank would idle for 100 s";
    const std::vector later{alone(205, 2), alone(5, 1)};
    EXPECT_EQ(regroup(later, {}, {}, cost).paused, (Paused{{0, 2, 5}}));
}

TEST(Regrouping, givesATrialTheRanksThatAreThereWhereTheOthersCome) {
    // Four ranks would end it after 200 + 1000 / 3.53 s, and the two that are there now after 3 + 1000
    // / 1.88.
    const std::vector running{alone(1000, 4)};
    const Paused paused = regroup(running, {}, std::vector{0.0, 200.0, 200.0}, cost).paused;
    ASSERT_EQ(paused.size(), 1u);
    EXPECT_EQ(paused[0].ranks, 2);
}

TEST(Regrouping, leavesRanksToOthersWhereATrialDoesWithFewer) {
    // 9,534 rank-seconds on four ranks: on two it ends after 3 + 1,880 s, in time.
    const InProgress large{
        .end = 1000, .seconds = 1000 * effective_ranks(4), .ranks = 4, .most_ranks = 4, .least_ranks = 1};
    const std::vector<Waiting> waiting(1000, Waiting{.seconds = 6});
    EXPECT_EQ(regroup(std::vector{large}, waiting, {}, cost).paused, (Paused{{0, 2, cost}}));

    InProgress needs_memory = large;
    needs_memory.least_ranks = 4;
    EXPECT_EQ(regroup(std::vector{needs_memory}, waiting, {}, cost).paused, Paused{});
    EXPECT_EQ(regroup(std::vector{large}, {}, {}, cost).paused, Paused{}) << "nobody waits for them";
}
