#include "cluster/sweep/plan.hpp"

#include <algorithm>
#include <optional>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cluster/schedule/allotment.hpp"
#include "cluster/small_study.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using testing::HasSubstr;
using testing::Not;

namespace {

/// Three trials of 10 steps of 4 tokens; an evaluation of 8 tokens is worth 2/3 of a step, and there are two.
study::Study three_trials() {
    study::Study study = test::study_of({3e9, 2e9, 1e9});
    study.grid.trials[0].trial.steps = 30;
    study.grid.trials[1].trial.steps = 20;
    study.grid.warnings = {"one budget (a law needs several) add budgets"};
    return study;
}

const Costs costs = {.seconds_per_step = [](const study::Trial&) { return 6.0; },
                     .bytes = [](const study::Trial&) { return std::int64_t{3} << 20; }};

std::size_t widest_line(const std::string& text) {
    std::istringstream lines(text);
    std::size_t widest = 0;
    for (std::string line; std::getline(lines, line);)
        widest = std::max(widest, line.size());
    return widest;
}

}  // namespace

TEST(Plan, predictsSecondsFromStepsAndEvaluations) {
    const study::Study study = three_trials();
    const Plan plan = make_plan(study, costs, 2);
    // (steps + 2 x 2/3) x 6 s
    EXPECT_DOUBLE_EQ(plan.trials[0].seconds, 188);
    EXPECT_DOUBLE_EQ(plan.trials[1].seconds, 128);
    EXPECT_DOUBLE_EQ(plan.trials[2].seconds, 68);
    EXPECT_DOUBLE_EQ(plan.rank_seconds, 384);
    EXPECT_DOUBLE_EQ(plan.makespan, 196) << "188 on one rank, 128 + 68 on the other";
    EXPECT_NEAR(plan.lower_bound, 192, 192e-9) << "bisected to 1e-9";
}

TEST(Plan, sharesTrialsAsTheSchedulerWill) {
    study::Study study = test::study_of({8e9}, 4);
    study.grid.trials[0].trial.evaluation = {};
    study.grid.trials[0].trial.steps = 10;
    EXPECT_DOUBLE_EQ(make_plan(study, costs, 4).makespan, 60 / effective_ranks(4));
    EXPECT_NEAR(make_plan(study, costs, 4).lower_bound, 60 / effective_ranks(4), 60e-9);
    study.job.ranks_per_trial = 2;
    EXPECT_DOUBLE_EQ(make_plan(study, costs, 4).makespan, 60 / effective_ranks(2));
}

// A trunk of 30 steps and its branch, which has 10 of its 40 left, at 6 s a step.
TEST(Plan, countsABranchFromWhereItLeavesItsTrunk) {
    study::Study study = test::study_of({3e9, 4e9});
    study::Trial &trunk = study.grid.trials[0].trial, &branch = study.grid.trials[1].trial;
    trunk.schedule.kind = study::ScheduleKind::constant;
    trunk.steps = 30;
    trunk.evaluation = {.tokens = 0, .steps = {30}};
    branch = trunk;
    branch.schedule = {.kind = study::ScheduleKind::warmup_stable_decay, .decay_steps = 10};
    branch.steps = 40;
    for (study::PlannedTrial& planned : study.grid.trials)
        planned.flops_per_token.exact = 1e8;
    const Plan plan = make_plan(study, costs, 2);
    EXPECT_DOUBLE_EQ(plan.trials[0].seconds, 180);
    EXPECT_DOUBLE_EQ(plan.trials[1].seconds, 60);
    EXPECT_DOUBLE_EQ(plan.rank_seconds, 240);
    EXPECT_DOUBLE_EQ(plan.makespan, 240) << "a branch begins when its trunk has ended";
    EXPECT_DOUBLE_EQ(plan.flops, 40 * 4 * 1e8);
    EXPECT_THAT(
        plan_text(study, plan, 110),
        HasSubstr("1 branch leaves 1 trunk: 1.600e+10 FLOPs where each starts after its trunk, 100.0% of"));
}

// The trunk is done, and has left its state to one of two branches, of which 10 steps of 40 are left.
TEST(Plan, countsWhatIsLeft) {
    study::Study study = test::study_of({3e9, 4e9, 4e9});
    for (study::PlannedTrial& planned : study.grid.trials) {
        planned.trial.evaluation = {.tokens = 0, .steps = {30}};
        planned.trial.schedule = {.kind = study::ScheduleKind::warmup_stable_decay, .decay_steps = 10};
        planned.trial.steps = 40;
        planned.flops_per_token.exact = 1e8;
    }
    study.grid.trials[0].trial.schedule = {.kind = study::ScheduleKind::constant};
    study.grid.trials[0].trial.steps = 30;
    LeftToDo left;
    left.trials = {1, 2};
    left.history.steps_before = {{1, 30}};
    left.from_states = 1;
    const Plan plan = make_plan(study, costs, 1, left);
    EXPECT_DOUBLE_EQ(plan.trials[0].seconds, 0);
    EXPECT_DOUBLE_EQ(plan.trials[1].seconds, 60);
    EXPECT_DOUBLE_EQ(plan.trials[2].seconds, 240);
    EXPECT_DOUBLE_EQ(plan.flops, 50 * 4 * 1e8);
    EXPECT_DOUBLE_EQ(plan.makespan, 300);
    EXPECT_THAT(plan_text(study, plan, 110),
                HasSubstr("1 trial is done before, 1 trial is to go on from states that trunks have left."));
    EXPECT_EQ(nlohmann::json::parse(plan_json(study, plan))["totals"]["from_states"], 1);
}

TEST(Plan, saysHowManyTrialsACardHasMemoryFor) {
    study::Study study = three_trials();
    study.grid.trials[0].trial.batch = 2;
    study.grid.trials[1].trial.batch = 3;
    Plan plan = make_plan(study,
                          {.seconds_per_step = costs.seconds_per_step,
                           .bytes = [](const study::Trial& trial) { return trial.batch * 1000; }},
                          1);
    EXPECT_THAT(plan_text(study, plan, 100), Not(HasSubstr("A card has memory")));
    EXPECT_THAT(plan_json(study, plan), Not(HasSubstr("fit_on_a_card")));
    plan.card_bytes = 7000;  // of which trials may have nine tenths
    plan.seats = 4;
    EXPECT_EQ(fit_on_card(plan, plan.trials[0]), 3);
    EXPECT_EQ(fit_on_card(plan, plan.trials[1]), 2);
    EXPECT_EQ(fit_on_card(plan, plan.trials[2]), 4) << "no more than seats";
    EXPECT_THAT(
        plan_text(study, plan, 300),
        HasSubstr("A card has memory for 2 of the largest to 4 of the smallest trials at once; how many "
                  "it gets, measured speeds decide."));
    EXPECT_THAT(plan_text(study, plan, 300),
                HasSubstr("what several at once gain is measured while a sweep"));
    EXPECT_EQ(nlohmann::json::parse(plan_json(study, plan))["trials"][0]["fit_on_a_card"], 3);
    study.job.trials_per_card = 4;
    EXPECT_THAT(plan_text(study, plan, 300), HasSubstr("(run.trials_per_card is 4)"));
    plan.card_bytes = 100;
    EXPECT_EQ(fit_on_card(plan, plan.trials[0]), 1) << "whether it fits, only trying shows";
}

TEST(Plan, measuresEachShapeOnce) {
    study::Study study = three_trials();
    study.grid.trials[2].trial.shape.width = 16;
    int measured = 0;
    make_plan(study,
              {.seconds_per_step = [&](const study::Trial&) { return ++measured; }, .bytes = costs.bytes}, 1);
    EXPECT_EQ(measured, 2);
}

TEST(Plan, takesWhatWasNotTimedToBeAsFastAsTheNearestInSize) {
    study::Study study = test::study_of({3e9, 2e9, 1e9});  // of 10 steps each: 3e8, 2e8 and 1e8 a step
    for (std::size_t i = 0; i < 3; ++i) {
        study.grid.trials[i].trial.shape.width = 64 >> i;
        study.grid.trials[i].parameters.mlp = 1'000'000 >> (4 * i);
        study.grid.trials[i].trial.evaluation = {};
    }
    const Plan plan = make_plan(study,
                                {.seconds_per_step = [](const study::Trial& trial) -> std::optional<double> {
                                     if (trial.shape.width == 32) return std::nullopt;
                                     return trial.shape.width == 64 ? 6.0 : 1.0;
                                 },
                                 .bytes = costs.bytes},
                                1);
    EXPECT_EQ(plan.timed, 2u);
    EXPECT_DOUBLE_EQ(plan.trials[0].seconds, 60);
    EXPECT_DOUBLE_EQ(plan.trials[1].seconds, 20) << "1e8 FLOP/s, as the small one, which is nearer";
    EXPECT_DOUBLE_EQ(plan.trials[2].seconds, 10);
    EXPECT_THAT(plan_text(study, plan, 300), HasSubstr("Timed were 2 of 3 kinds of steps"));
}

TEST(Plan, comesWithoutTimesWhereNothingCanBeTimed) {
    const study::Study study = three_trials();
    Plan plan = make_plan(
        study, {.seconds_per_step = [](const study::Trial&) { return std::nullopt; }, .bytes = costs.bytes},
        2);
    plan.why_untimed = "there is no card";
    const std::string text = plan_text(study, plan, 100);
    EXPECT_THAT(text, HasSubstr("9.000e+09  3.0 MiB     -\n"));
    EXPECT_THAT(text, HasSubstr("FLOPs; times and the end are not known: there is no card."));
    EXPECT_THAT(text, Not(HasSubstr("With 2 ranks")));
    EXPECT_THAT(text, HasSubstr("warning: one budget"));
    const auto json = nlohmann::json::parse(plan_json(study, plan));
    EXPECT_TRUE(json["trials"][0]["predicted_seconds"].is_null());
    EXPECT_TRUE(json["totals"]["predicted_rank_seconds"].is_null());
    EXPECT_TRUE(json["totals"]["predicted_makespan_seconds"].is_null());
    EXPECT_DOUBLE_EQ(json["totals"]["flops"], 1.4e10);
}

TEST(Plan, isATableThatFitsTheTerminal) {
    const study::Study study = three_trials();
    const Plan plan = make_plan(study, costs, 2);
    const std::string text = plan_text(study, plan, 100);
    EXPECT_THAT(text,
                HasSubstr("trial  parameters  tokens     D/N  steps      FLOPs   memory        time\n"));
    EXPECT_THAT(text, HasSubstr("120  0.0252     30  9.000e+09  3.0 MiB  3 min 08 s\n"));
    EXPECT_THAT(
        text,
        HasSubstr("3 trials, 1.400e+10 FLOPs, 6 min 24 s of one rank. Evaluations take 5% of the time.\n"));
    EXPECT_THAT(text, HasSubstr("With 2 ranks that train (start 3, as one coordinates): 3 min 16 s; no"));
    EXPECT_THAT(text, HasSubstr("warning: one budget (a law needs several) add budgets\n"));
    for (int columns = 30; columns <= 110; ++columns)
        EXPECT_LE(widest_line(plan_text(study, plan, columns)), static_cast<std::size_t>(columns));
    EXPECT_THAT(plan_text(study, plan, 80), Not(HasSubstr("Not shown")));
    EXPECT_THAT(plan_text(study, plan, 60), HasSubstr("Not shown in 60 columns: D/N, steps; widen the"))
        << "the least important goes first, and is named";
    EXPECT_THAT(plan_text(study, plan, 1), HasSubstr("t0")) << "the name never goes";
}

TEST(Plan, tellsOfLongEvaluations) {
    study::Study study = three_trials();
    study.job.evaluation = {.tokens = 8, .points = 1};
    const Plan plan = make_plan(study, costs, 1);
    EXPECT_NEAR(plan.evaluation_share, 8e8 / 1.48e10, 1e-12);
    EXPECT_THAT(plan_text(study, plan, 300), HasSubstr("Evaluations take 5% of the time."));
    for (study::PlannedTrial& planned : study.grid.trials)
        planned.trial.evaluation.tokens = 800;
    const Plan longer = make_plan(study, costs, 1);
    EXPECT_THAT(
        plan_text(study, longer, 300),
        HasSubstr("warning: evaluations take 85% of the time (evaluation.tokens is 8, read before the "
                  "first step and at 1 point of each trial) lower evaluation.tokens"));
    const auto json = nlohmann::json::parse(plan_json(study, longer));
    EXPECT_GT(json["totals"]["evaluation_share"], 0.8);
    EXPECT_EQ(json["warnings"].size(), 2u);
}

TEST(Plan, saysTheSameInJson) {
    const study::Study study = three_trials();
    const auto json = nlohmann::json::parse(plan_json(study, make_plan(study, costs, 2)));
    EXPECT_EQ(json["schema"], "isogrid-plan/1");
    ASSERT_EQ(json["trials"].size(), 3u);
    EXPECT_EQ(json["trials"][0]["name"], "t0");
    EXPECT_EQ(json["trials"][0]["parameters"], study.grid.trials[0].parameters.total());
    EXPECT_EQ(json["trials"][0]["tokens"], 120);
    EXPECT_DOUBLE_EQ(json["trials"][0]["flops"]["exact"], 9e9);
    EXPECT_EQ(json["trials"][0]["memory_bytes"], 3 << 20);
    EXPECT_DOUBLE_EQ(json["totals"]["predicted_makespan_seconds"], 196);
    EXPECT_EQ(json["warnings"].size(), 1u);
}
