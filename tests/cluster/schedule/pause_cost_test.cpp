#include "cluster/schedule/pause_cost.hpp"

#include <gtest/gtest.h>

using namespace isogrid::cluster;

TEST(PauseCost, isTheUsualWhereCheckpointsAreLeftAtOnce) {
    PauseCost cost;
    EXPECT_DOUBLE_EQ(cost.seconds(), usual_pausing_seconds);
    cost.left_checkpoint(0.5);
    EXPECT_DOUBLE_EQ(cost.seconds(), usual_pausing_seconds);
}

TEST(PauseCost, isTwiceTheTimeToLeaveACheckpointWhereThatTakesLong) {
    PauseCost cost;
    cost.left_checkpoint(15);
    EXPECT_DOUBLE_EQ(cost.seconds(), 30);
    cost.left_checkpoint(5);
    EXPECT_DOUBLE_EQ(cost.seconds(), 20) << "twice the mean of 15 and 5";
    cost.left_checkpoint(-5);  // faster than its speed so far
    EXPECT_DOUBLE_EQ(cost.seconds(), 2 * 20.0 / 3);
}
