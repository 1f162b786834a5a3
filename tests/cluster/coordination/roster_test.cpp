// Who is there.
#include "cluster/coordination/roster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace isogrid::cluster;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

constexpr double limit = 60;

/// Looks every second, as a coordinator does whose inbox is empty.
std::vector<int> silent_until(Roster& roster, double from, double to) {
    std::vector<int> silent;
    for (double now = from; now <= to; ++now)
        for (const int rank : roster.fallen_silent(now))
            silent.push_back(rank);
    return silent;
}

}  // namespace

TEST(Roster, isCompleteWhenEveryWorkerHasAskedOrIsGivenUp) {
    Roster roster(2, limit, 0);
    EXPECT_TRUE(roster.asks(1, 0));
    EXPECT_FALSE(roster.complete());
    roster.heard(1, 30);
    EXPECT_THAT(silent_until(roster, 1, 70), ElementsAre(2));
    EXPECT_TRUE(roster.complete());
    EXPECT_TRUE(roster.is_there(1));
    EXPECT_FALSE(roster.is_there(2));
}

TEST(Roster, takesARequestForNewsOnlyOnce) {
    Roster roster(1, limit, 0);
    EXPECT_TRUE(roster.asks(1, 0));
    EXPECT_FALSE(roster.asks(1, 0)) << "a reminder";
    roster.given(1, 7);
    EXPECT_EQ(roster.busy_with(1), 7);
    EXPECT_FALSE(roster.asks(1, 0)) << "it was on its way for long";
    EXPECT_TRUE(roster.asks(1, 7));
    EXPECT_EQ(roster.busy_with(1), -1);
}

TEST(Roster, allowsTwiceTheSilenceToWhoeverComesBack) {
    Roster roster(1, limit, 0);
    roster.asks(1, 0);
    EXPECT_THAT(silent_until(roster, 1, 70), ElementsAre(1));
    EXPECT_TRUE(roster.heard(1, 70));
    EXPECT_FALSE(roster.heard(1, 71)) << "it was there";
    EXPECT_TRUE(roster.asks(1, 0)) << "nobody knows any more that it waits";
    EXPECT_THAT(silent_until(roster, 71, 71 + 1.9 * limit), IsEmpty());
    EXPECT_THAT(silent_until(roster, 72 + 1.9 * limit, 71 + 2.2 * limit), ElementsAre(1));
}

TEST(Roster, allowsSixteenTimesTheFirstSilenceAtMost) {
    Roster roster(1, limit, 0);
    double now = 0;
    for (const double allowed :
         {1, 2, 4, 8, 16, 16, 16}) {  // in limits; late notes of a dead rank go on for ever
        EXPECT_EQ(roster.silence_limit(), allowed * limit);
        now += allowed * limit;
        EXPECT_THAT(silent_until(roster, now - allowed * limit + 1, now - 1), IsEmpty());
        EXPECT_THAT(silent_until(roster, now, now + allowed * limit / 8), ElementsAre(1));
        now += allowed * limit / 8;
        EXPECT_TRUE(roster.heard(1, now));
    }
}

TEST(Roster, doesNotCountTheTimeInWhichTheCoordinatorWasSuspended) {
    Roster roster(1, limit, 0);
    EXPECT_THAT(silent_until(roster, 1, 50), IsEmpty());
    EXPECT_THAT(roster.fallen_silent(5000), IsEmpty())
        << "the worker may have spoken, or have been suspended too";
    EXPECT_THAT(silent_until(roster, 5001, 5020), ElementsAre(1));
}
