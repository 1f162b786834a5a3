#include "cluster/schedule/doubling_efficiency.hpp"

#include <cmath>

#include <gtest/gtest.h>

using namespace isogrid::cluster;

TEST(DoublingEfficiency, isTheUsualUntilATrialHasRunOnGroupsOfTwoSizes) {
    DoublingEfficiency efficiency;
    EXPECT_DOUBLE_EQ(efficiency.value(), usual_doubling_efficiency);
    efficiency.ran(0, 1, 100, 100);
    efficiency.ran(1, 2, 100, 100);
    EXPECT_DOUBLE_EQ(efficiency.value(), usual_doubling_efficiency) << "trials differ for other reasons";
}

TEST(DoublingEfficiency, comesToWhatTrialsShow) {
    // 1.4 times as fast on two ranks, 1.96 on four: .7 a doubling.
    DoublingEfficiency efficiency;
    efficiency.ran(0, 1, 1e5, 1e5);
    efficiency.ran(0, 2, 1.4e5, 1e5);
    EXPECT_NEAR(efficiency.value(), 0.7, 1e-4);
    efficiency.ran(1, 1, 1e5, 1e5);
    efficiency.ran(1, 4, 1.96e5, 1e5);
    EXPECT_NEAR(efficiency.value(), 0.7, 1e-4);
}

TEST(DoublingEfficiency, countsTheUsualAsTenSeconds) {
    DoublingEfficiency efficiency;
    efficiency.ran(0, 1, 10, 10);
    efficiency.ran(0, 2, 2 * 0.7 * 30, 30);  // the shorter time, 10 s, is its weight
    EXPECT_DOUBLE_EQ(efficiency.value(), std::sqrt(usual_doubling_efficiency * 0.7));
}

TEST(DoublingEfficiency, believesNoRankThatStoodStill) {
    DoublingEfficiency efficiency;
    efficiency.ran(0, 1, 1, 1e5);    // stopped for a day
    efficiency.ran(0, 2, 1e6, 1e5);  // and went on a million times as fast
    EXPECT_LE(efficiency.value(), 1);
    efficiency.ended(0);
    for (int trial = 1; trial < 1000; ++trial) {
        efficiency.ran(trial, 2, 1, 1e5);
        efficiency.ran(trial, 1, 1e6, 1e5);
        efficiency.ended(trial);
    }
    EXPECT_NEAR(efficiency.value(), 0.5, 1e-3) << "a group is no slower than half of it";
}
