#include "cluster/schedule/pause_cost.hpp"

#include <gtest/gtest.h>

using namespace isogrid::cluster;

TEST(PauseCost, isTheUsualWhereTrialsPauseAtOnce) {
    PauseCost cost;
    EXPECT_DOUBLE_EQ(cost.seconds(), usual_pausing_seconds);
    cost.asked(0, 10);
    cost.left_checkpoint(0, 10.5);
    EXPECT_DOUBLE_EQ(cost.seconds(), usual_pausing_seconds);
}

TEST(PauseCost, isTwiceTheTimeToLeaveACheckpointWhereThatTakesLong) {
    PauseCost cost;
    cost.asked(0, 10);
    cost.left_checkpoint(0, 25);
    EXPECT_DOUBLE_EQ(cost.seconds(), 30);
    cost.asked(1, 100);
    cost.left_checkpoint(1, 105);
    EXPECT_DOUBLE_EQ(cost.seconds(), 20) << "twice the mean of 15 and 5";
}

TEST(PauseCost, knowsNothingOfTrialsThatEndedOrWereNotAsked) {
    PauseCost cost;
    cost.asked(0, 10);
    cost.forget(0);
    cost.left_checkpoint(0, 1000);
    cost.left_checkpoint(1, 1000);
    EXPECT_DOUBLE_EQ(cost.seconds(), usual_pausing_seconds);
}
