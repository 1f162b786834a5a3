// Schedules at the steps where their closed forms are plain numbers.
#include "train/schedule.hpp"

#include <gtest/gtest.h>

namespace isogrid::tests {
namespace {

using study::ScheduleKind;

study::Schedule schedule(ScheduleKind kind) {
    return {.kind = kind, .warmup_steps = 10, .decay_steps = 20, .final_fraction = 0.1};
}

double schedule_fraction(const study::Schedule& schedule, std::int64_t steps, std::int64_t step) {
    study::Trial trial;
    trial.schedule = schedule;
    trial.batch = 4;
    trial.steps = steps;
    return train::schedule_fraction(trial, step);
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

// 100 steps of 4 and then 50 of 8 sequences: half of the 800 is behind them after step 100, three quarters
// after step 125.
TEST(Schedule, followsTheTokensWhereTheBatchGrows) {
    study::Trial trial;
    trial.schedule = {.kind = ScheduleKind::linear, .final_fraction = 0};
    trial.batch = 4;
    trial.batch_schedule = {{.step = 100, .batch = 8}};
    trial.steps = 150;
    EXPECT_DOUBLE_EQ(train::schedule_fraction(trial, 50), 0.75);
    EXPECT_DOUBLE_EQ(train::schedule_fraction(trial, 100), 0.5);
    EXPECT_DOUBLE_EQ(train::schedule_fraction(trial, 125), 0.25);
    EXPECT_DOUBLE_EQ(train::schedule_fraction(trial, 150), 0);
    trial.schedule = {.kind = ScheduleKind::warmup_stable_decay, .decay_steps = 75, .final_fraction = 0};
    EXPECT_DOUBLE_EQ(train::schedule_fraction(trial, 75), 1);
    EXPECT_DOUBLE_EQ(train::schedule_fraction(trial, 100), 0.8) << "100 of 500 sequences";
}

}  // namespace
}  // namespace isogrid::tests
