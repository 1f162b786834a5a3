// Schedules at the steps where their closed forms are plain numbers.
#include "train/schedule.hpp"

#include <gtest/gtest.h>

namespace isogrid::tests {
namespace {

using study::ScheduleKind;
using train::schedule_fraction;

study::Schedule schedule(ScheduleKind kind) {
    return {.kind = kind, .warmup_steps = 10, .decay_steps = 20, .final_fraction = 0.1};
}

TEST(Schedule, warmsUpLinearlyToThePeak) {
    for (const ScheduleKind kind : study::schedule_kinds) {
        EXPECT_DOUBLE_EQ(schedule_fraction(schedule(kind), 110, 1), 0.1);
        EXPECT_DOUBLE_EQ(schedule_fraction(schedule(kind), 110, 5), 0.5);
        EXPECT_DOUBLE_EQ(schedule_fraction(schedule(kind), 110, 10), 1.0);
    }
}

TEST(Schedule, cosineIsHalfwayDownInTheMiddleAndFinalAtTheEnd) {
    EXPECT_DOUBLE_EQ(schedule_fraction(schedule(ScheduleKind::cosine), 110, 60), 0.55);
    EXPECT_DOUBLE_EQ(schedule_fraction(schedule(ScheduleKind::cosine), 110, 110), 0.1);
}

TEST(Schedule, linearFallsEvenly) {
    EXPECT_DOUBLE_EQ(schedule_fraction(schedule(ScheduleKind::linear), 110, 35), 1 - 0.9 * 0.25);
    EXPECT_DOUBLE_EQ(schedule_fraction(schedule(ScheduleKind::linear), 110, 110), 0.1);
}

TEST(Schedule, constantStays) {
    EXPECT_EQ(schedule_fraction(schedule(ScheduleKind::constant), 110, 110), 1);
}

TEST(Schedule, warmupStableDecayStaysUntilItsDecay) {
    const study::Schedule wsd = schedule(ScheduleKind::warmup_stable_decay);
    EXPECT_EQ(schedule_fraction(wsd, 110, 90), 1);
    EXPECT_DOUBLE_EQ(schedule_fraction(wsd, 110, 100), 0.55);
    EXPECT_DOUBLE_EQ(schedule_fraction(wsd, 110, 110), 0.1);
}

TEST(Schedule, aRunWithoutWarmupStartsNearThePeak) {
    study::Schedule cosine = schedule(ScheduleKind::cosine);
    cosine.warmup_steps = 0;
    EXPECT_GT(schedule_fraction(cosine, 100, 1), 0.99);
    EXPECT_DOUBLE_EQ(schedule_fraction(cosine, 1, 1), 0.1);
}

}  // namespace
}  // namespace isogrid::tests
