// Batches that change while a trial goes on: which rows a step has, how long a trial is, what [batch_ramp]
// and the trunk of [critical_batch] make of it.
#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "study/branches.hpp"
#include "study/job_text.hpp"

namespace isogrid::study {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// 10 steps of 4, 5 of 8, then 16 sequences.
Trial growing() {
    Trial trial;
    trial.shape.context = 128;
    trial.batch = 4;
    trial.leaves = 4;
    trial.batch_schedule = {{.step = 10, .batch = 8, .learning_rate_factor = std::sqrt(2.0)},
                            {.step = 15, .batch = 16, .learning_rate_factor = 2}};
    trial.steps = 20;
    return trial;
}

std::vector<PlannedTrial> trials_of(const std::string& study) {
    std::string job = testing::smallest_job();
    job.resize(job.find("[isoflop]"));
    const base::Result<Study> parsed = testing::parsed(job + study);
    EXPECT_TRUE(parsed) << base::to_string(parsed.error());
    return parsed ? parsed->grid.trials : std::vector<PlannedTrial>{};
}

TEST(BatchSchedule, numbersRowsThroughWithoutAGapOrARepeat) {
    const Trial trial = growing();
    std::set<std::int64_t> rows;
    for (std::int64_t done = 0; done < trial.steps; ++done)
        for (std::int64_t row = 0; row < trial.stage_after(done).batch; ++row)
            EXPECT_TRUE(rows.insert(trial.sequences(done) + row).second) << "step " << done;
    EXPECT_EQ(*rows.begin(), 0);
    EXPECT_EQ(*rows.rbegin() + 1, static_cast<std::int64_t>(rows.size()));
    EXPECT_EQ(static_cast<std::int64_t>(rows.size()), 10 * 4 + 5 * 8 + 5 * 16);
}

TEST(BatchSchedule, countsTokensAndTheStepsToThem) {
    const Trial trial = growing();
    EXPECT_EQ(trial.tokens(), 160 * 128);
    EXPECT_EQ(trial.sequences(12), 56);
    EXPECT_EQ(trial.sequences(25), 240) << "beyond the end the last batch goes on";
    for (const std::int64_t done : {0, 3, 10, 12, 15, 20, 25})
        EXPECT_EQ(trial.steps_to(static_cast<double>(trial.sequences(done))), done);
    EXPECT_DOUBLE_EQ(trial.part_done(15), 0.5);
    EXPECT_EQ(trial.stage_after(9).batch, 4);
    EXPECT_EQ(trial.stage_after(10).batch, 8);
    EXPECT_EQ(trial.within(trial.stage_after(15)).batch, 16);
}

TEST(BatchSchedule, isInTheCanonicalTextOnlyWhereThereIsOne) {
    Trial trial = growing();
    EXPECT_THAT(
        canonical_text(trial),
        HasSubstr(R"("batch_schedule":[{"batch":8,"learning_rate_factor":1.4142135623730951,"step":10},)"
                  R"({"batch":16,"learning_rate_factor":2.0,"step":15}])"));
    EXPECT_EQ(parse_canonical_text(canonical_text(trial)), trial);
    trial.batch_schedule.clear();
    EXPECT_THAT(canonical_text(trial), ::testing::Not(HasSubstr("batch_schedule")));
}

TEST(BatchSchedule, keepsTheBudgetOfEveryTrial) {
    const std::string changes =
        "[recipe]\nbatch_schedule = [[2_000_000, 32], [6_000_000, 64]]\n"
        "batch_schedule_rule = \"linear\"\n[isoflop]\nbudgets = [4e12, 8e12, 2e13, 4e13]\n";
    const base::Result<Study> study = testing::parsed(testing::edited(testing::smallest_job(), changes));
    ASSERT_TRUE(study) << base::to_string(study.error());
    std::size_t ramped = 0;
    for (const PlannedTrial& planned : study->grid.trials) {
        const Trial& trial = planned.trial;
        EXPECT_NEAR(planned.flops(FlopConvention::exact), planned.budget, 0.01 * planned.budget)
            << planned.name;
        EXPECT_EQ(trial.evaluation.steps.back(), trial.steps);
        EXPECT_NEAR(static_cast<double>(trial.sequences(trial.schedule.warmup_steps)),
                    0.1 * static_cast<double>(trial.sequences(trial.steps)), 32);
        if (trial.batch_schedule.size() < 2) continue;
        ++ramped;
        EXPECT_EQ(trial.batch_schedule[0].step, std::llround(2e6 / (16 * 128)));
        EXPECT_EQ(trial.batch_schedule[0].learning_rate_factor, 2);
        EXPECT_EQ(trial.batch_schedule[1].step - trial.batch_schedule[0].step,
                  std::llround((6e6 / 128 - 16.0 * static_cast<double>(trial.batch_schedule[0].step)) / 32));
        EXPECT_EQ(trial.batch_schedule[1].learning_rate_factor, 4);
    }
    EXPECT_GT(ramped, 5u);
}

TEST(BatchRamp, comparesWaysToChooseBatchesOverTheSameTokens) {
    const auto trials = trials_of(
        "[batch_ramp]\nbatches = [4, 32]\nramp = [[0, 4], [500_000, 8], [1_000_000, 32]]\n"
        "tokens = 2_048_000\nseeds = 2\n");
    ASSERT_THAT(trials, SizeIs(3 * 2));
    for (const PlannedTrial& planned : trials) {
        EXPECT_NEAR(static_cast<double>(planned.trial.tokens()), 2'048'000, 32 * 128 / 2) << planned.name;
        EXPECT_EQ(planned.trial.batch % planned.trial.leaves, 0);
        // The square-root rule from recipe.batch, 16.
        const double first = static_cast<double>(planned.trial.batch);
        EXPECT_DOUBLE_EQ(planned.trial.optimizer.learning_rate, 0.01 * std::sqrt(first / 16));
    }
    EXPECT_EQ(trials[0].variant, "batch_4");
    EXPECT_EQ(trials[4].variant, "ramp");
    EXPECT_EQ(trials[4].name, "br-w32-d1-ramp-s1");
    ASSERT_THAT(trials[4].trial.batch_schedule, SizeIs(2));
    EXPECT_DOUBLE_EQ(trials[4].trial.batch_schedule[1].learning_rate_factor, std::sqrt(8));
}

// Bcrit = 4 D^(1/2) tokens: 8 sequences are 1024 tokens, reached after (1024 / 4)^2 = 65,536; 16 after four
// times as many, and 32 after sixteen times.
TEST(BatchRamp, followsTheLawOfTheCriticalBatch) {
    const auto trials =
        trials_of("[batch_ramp]\nbatches = [4, 32]\ncritical_batch = [4, 0.5]\ntokens = 1_024_000\n");
    ASSERT_THAT(trials, SizeIs(3));
    EXPECT_EQ(trials[2].variant, "ramp_critical_batch");
    const Trial& ramp = trials[2].trial;
    ASSERT_THAT(ramp.batch_schedule, SizeIs(2));
    EXPECT_EQ(ramp.batch_schedule[0],
              (BatchStage{.step = 128, .batch = 8, .learning_rate_factor = std::sqrt(2.0)}));
    EXPECT_EQ(ramp.batch_schedule[1].batch, 16);
    EXPECT_EQ(ramp.sequences(ramp.batch_schedule[1].step) * 128, 262'144);
}

TEST(CriticalBatch, goesOnFromOneTrunk) {
    const auto trials = trials_of(
        "[critical_batch]\nbatches = [4, 16, 64]\ntargets = [2.5, 2.25]\ntokens = 1_024_000\n"
        "trunk_tokens = 512_000\nlearning_rates = [0.01, 0.02]\n");
    ASSERT_THAT(trials, SizeIs(1 + 3 * 2));
    EXPECT_EQ(trials[0].name, "cb-trunk-w32-d1");
    EXPECT_THAT(trials[0].studies, ElementsAre("trunk")) << "no law is fitted to it";
    EXPECT_EQ(trials[0].trial.steps, 250);
    const auto found = departures(trials);
    EXPECT_THAT(found, SizeIs(6));
    for (const auto& [place, departure] : found) {
        EXPECT_EQ(departure.trunk, 0u);
        EXPECT_EQ(departure.step, 250);
        const Trial& trial = trials[place].trial;
        EXPECT_NEAR(static_cast<double>(trial.tokens()), 1'536'000, 64 * 128 / 2);
        EXPECT_EQ(trial.stop_loss, 2.25);
    }
    const Trial& last = trials.back().trial;
    EXPECT_DOUBLE_EQ(last.batch_schedule[0].learning_rate_factor, 2 * std::sqrt(64.0 / 16));
}

}  // namespace
}  // namespace isogrid::study
