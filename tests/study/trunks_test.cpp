// isoFLOP budgets as decays from one trunk a shape: the same cells, for fewer FLOPs.
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "study/branches.hpp"
#include "study/job_text.hpp"

namespace isogrid::study {
namespace {

Study with(const std::string& changes) {
    const base::Result<Study> study = testing::parsed(
        testing::edited(testing::smallest_job(),
                        "[recipe]\nschedule = \"warmup_stable_decay\"\ndecay_fraction = 0.1\n"
                        "[isoflop]\nbudgets = [1e12, 2e12, 4e12, 8e12, 1.6e13]\nsizes = 12\n" +
                            changes));
    EXPECT_TRUE(study) << base::to_string(study.error());
    return study.value_or(Study{});
}

TEST(Trunks, carryTheSameCellsForFewerFlops) {
    const Study straight = with(""), shared = with("trunks = true\n");
    std::map<std::string, const PlannedTrial*> cells;
    std::map<std::string, int> cells_of_shape;
    for (const PlannedTrial& planned : straight.grid.trials) {
        cells[planned.name] = &planned;
        ++cells_of_shape[label(planned.trial.shape)];
    }
    const auto found = departures(shared.grid.trials);
    std::size_t trunks = 0;
    for (std::size_t i = 0; i < shared.grid.trials.size(); ++i) {
        const PlannedTrial& planned = shared.grid.trials[i];
        if (planned.studies == std::vector<std::string>{"trunk"}) {
            ++trunks;
            EXPECT_EQ(planned.budget, 0);
            EXPECT_FALSE(found.contains(i));
            continue;
        }
        ASSERT_TRUE(cells.contains(planned.name));
        const PlannedTrial& cell = *cells[planned.name];
        EXPECT_EQ(planned.budget, cell.budget);
        EXPECT_EQ(planned.trial.steps, cell.trial.steps) << "the straight run's length, and so its FLOPs";
        EXPECT_EQ(planned.trial.schedule.decay_steps, cell.trial.schedule.decay_steps);
        EXPECT_EQ(found.contains(i), cells_of_shape[label(planned.trial.shape)] > 1) << planned.name;
    }
    EXPECT_EQ(shared.grid.trials.size(), cells.size() + trunks);

    double expected = 0, apart = 0;  // of shapes with a trunk: the longest's stable part and every decay
    std::map<std::string, double> longest;
    for (const PlannedTrial& planned : straight.grid.trials) {
        if (cells_of_shape[label(planned.trial.shape)] < 2) continue;
        const double flops = planned.flops(FlopConvention::exact);
        apart += flops;
        const double decay = flops * static_cast<double>(planned.trial.schedule.decay_steps) /
                             static_cast<double>(planned.trial.steps);
        expected += decay;
        double& stable = longest[label(planned.trial.shape)];
        stable = std::max(stable, flops - decay);
    }
    for (const auto& [shape, stable] : longest)
        expected += stable;
    const BranchCosts costs = branch_costs(shared.grid.trials);
    EXPECT_NEAR(costs.apart, apart, 1e-9 * apart);
    EXPECT_NEAR(costs.shared, expected, 1e-9 * expected);
    EXPECT_EQ(costs.trunks, longest.size());
    EXPECT_LT(costs.shared, 0.7 * costs.apart);
}

TEST(Trunks, carryTheBudgetsThatAreValidated) {
    const Study study = with("trunks = true\n[validation]\nbudgets = [3.2e13]\nsizes = 12\n");
    const auto found = departures(study.grid.trials);
    std::size_t validated = 0;
    for (const auto& [place, departure] : found)
        validated += study.grid.trials[place].studies.front() == "validation";
    EXPECT_GT(validated, 3u);
}

TEST(Trunks, keepOlderBranchesWhenALargerBudgetIsAdded) {
    const Study before = with("trunks = true\n"),
                after = with("budgets = [1e12, 2e12, 4e12, 8e12, 1.6e13, 3.2e13]\ntrunks = true\n");
    std::map<std::string, std::string> identities;
    for (const PlannedTrial& planned : after.grid.trials)
        identities[planned.name] = identity(planned.trial);
    for (const PlannedTrial& planned : before.grid.trials)
        if (planned.budget > 0) {
            EXPECT_EQ(identity(planned.trial), identities[planned.name]) << planned.name;
        }
}

TEST(Trunks, refuseADecayBeforeTheWarmUpEnds) {
    const auto faults =
        testing::faults_of(testing::edited(testing::smallest_job(),
                                           "[recipe]\nschedule = \"warmup_stable_decay\"\nwarmup_tokens = "
                                           "40_000_000\n[isoflop]\ntrunks = true\n"));
    ASSERT_FALSE(faults.empty());
    EXPECT_THAT(faults.front(),
                ::testing::HasSubstr("isoflop.trunks: b1-w32-d1 would decay before it is warm"));
}

/// Constant for 100 steps after 10 of warm-up, then 20 of decay; evaluated after 16, 50, 100 and 120.
Trial decaying() {
    Trial trial;
    trial.shape = {.width = 8, .depth = 1, .heads = 1, .mlp_width = 8, .vocabulary = 16, .context = 8};
    trial.schedule = {.kind = ScheduleKind::warmup_stable_decay,
                      .warmup_steps = 10,
                      .decay_steps = 20,
                      .final_fraction = 0.3,
                      .decay = DecayForm::cosine};
    trial.batch = 8;
    trial.steps = 120;
    trial.evaluation = {.tokens = 64, .steps = {16, 50, 100, 120}};
    return trial;
}

TEST(Beginning, isTheTrialOfConstantRateThatEndsThere) {
    Trial expected = decaying();
    expected.schedule = {.kind = ScheduleKind::constant, .warmup_steps = 10};
    expected.steps = 50;
    expected.evaluation.steps = {16, 50};
    EXPECT_EQ(beginning(decaying(), 50), expected);
    EXPECT_EQ(beginning(expected, 50), expected) << "a trial of constant rate is its own beginning";
    EXPECT_EQ(beginning(*beginning(decaying(), 100), 50), expected) << "and begins as its beginnings do";
}

TEST(Beginning, isThereFromTheWarmUpToTheDecayWhereTheTrialIsEvaluated) {
    Trial trial = decaying();
    EXPECT_TRUE(beginning(trial, 100)) << "the decay begins after it";
    EXPECT_FALSE(beginning(trial, 120)) << "decayed";
    EXPECT_FALSE(beginning(trial, 51)) << "not evaluated";
    EXPECT_FALSE(beginning(trial, 0));
    trial.schedule.warmup_steps = 16;
    EXPECT_FALSE(beginning(trial, 16)) << "still warming up";
    for (const ScheduleKind kind : {ScheduleKind::cosine, ScheduleKind::linear}) {
        trial.schedule.kind = kind;
        EXPECT_FALSE(beginning(trial, 50)) << "decays from its start";
    }
}

TEST(Beginning, endsWhereTheBatchChangesFirst) {
    Trial trial = decaying();
    trial.batch_schedule = {{.step = 50, .batch = 16}, {.step = 60, .batch = 32}};
    trial.stop_loss = 2;
    EXPECT_EQ(beginning(trial, 50), beginning(decaying(), 50)) << "only later evaluations can stop it";
    EXPECT_FALSE(beginning(trial, 100));
    trial.batch_schedule.clear();
    EXPECT_FALSE(beginning(trial, 50)) << "it may have ended at its target";
}

PlannedTrial planned(Trial trial) {
    PlannedTrial planned;
    planned.trial = std::move(trial);
    return planned;
}

/// As decaying() begins, but of other length and evaluations.
Trial constant(std::int64_t steps, std::vector<std::int64_t> evaluated) {
    Trial trial = decaying();
    trial.schedule = {.kind = ScheduleKind::constant, .warmup_steps = 10};
    trial.steps = steps;
    trial.evaluation.steps = std::move(evaluated);
    return trial;
}

// Among trials of other seeds and lengths, whatever the places asked for.
TEST(Branches, ofEachAreThoseOfOneAfterTheOther) {
    const auto trials =
        with("seeds = 3\ntrunks = true\n[wsd]\nbranches = [1_000_000, 2_000_000]\n").grid.trials;
    std::vector<std::size_t> places;
    for (std::size_t i = trials.size(); i-- > 0;)
        if (i % 5 != 0) places.push_back(i);
    const auto each = branches_of_each(places, trials);
    ASSERT_EQ(each.size(), places.size());
    std::size_t found = 0;
    for (std::size_t i = 0; i < places.size(); ++i) {
        const std::vector<Branch> expected = branches_of(places[i], trials);
        ASSERT_EQ(each[i].size(), expected.size()) << trials[places[i]].name;
        for (std::size_t k = 0; k < expected.size(); ++k) {
            EXPECT_EQ(each[i][k].trial, expected[k].trial);
            EXPECT_EQ(each[i][k].step, expected[k].step);
        }
        found += expected.size();
    }
    EXPECT_GT(found, 30u);
}

TEST(Branches, goOnFromTheLastStateThatTheyShare) {
    const std::vector<PlannedTrial> all = {planned(constant(200, {16, 50, 100, 200})), planned(decaying()),
                                           planned(constant(70, {16, 50, 70})),
                                           planned(constant(120, {16, 50, 120}))};
    const std::vector<Branch> found = branches_of(0, all);
    ASSERT_EQ(found.size(), 2u) << "50 of 120 steps are not worth waiting for";
    EXPECT_EQ(found[0].trial, &all[1]);
    EXPECT_EQ(found[0].step, 100);
    EXPECT_EQ(found[1].trial, &all[2]) << "a trunk that leaves a trunk";
    EXPECT_EQ(found[1].step, 50);
    EXPECT_TRUE(branches_of(1, all).empty());

    const auto leaves = departures(all);
    ASSERT_EQ(leaves.size(), 2u);
    EXPECT_EQ(leaves.at(1).step, 100) << "not 50, with the other trunks";
    EXPECT_EQ(leaves.at(1).trunk, 0u);
}

TEST(Branches, aShorterTrunkIsTheBeginningOfALongerOne) {
    const std::vector<PlannedTrial> all = {planned(constant(200, {16, 50, 100, 200}))};
    EXPECT_TRUE(is_beginning_of_one(constant(100, {16, 50, 100}), all));
    EXPECT_FALSE(is_beginning_of_one(constant(100, {16, 100}), all)) << "a row less";
    EXPECT_FALSE(is_beginning_of_one(all[0].trial, all)) << "the same, not a beginning";
    EXPECT_FALSE(is_beginning_of_one(decaying(), all)) << "its end is after its decay";
}

TEST(Decays, addedLaterLeaveAllOthersAsTheyWere) {
    const auto trials_with = [](const std::string& keys) {
        std::map<std::string, Trial> trials;
        const auto study = testing::parsed(testing::edited(
            testing::smallest_job(), "[wsd]\nwidths = [32]\nbranches = [100_000, 400_000]\n" + keys));
        EXPECT_TRUE(study) << base::to_string(study.error());
        for (const PlannedTrial& planned : study->grid.trials)
            trials[planned.name] = planned.trial;
        return trials;
    };
    const auto before = trials_with(""), after = trials_with("added_branches = [200_000, 300_000]\n");
    EXPECT_EQ(after.size(), before.size() + 4) << "two decays, and the trunks that lead there";
    for (const auto& [name, trial] : before)
        EXPECT_EQ(after.at(name), trial) << name;
    const Trial& added = after.at("trunk-w32-d1-t300000");
    const Trial& decay = after.at("decay-w32-d1-t300000-linear-f0.1");
    EXPECT_EQ(beginning(decay, added.steps), beginning(added, added.steps));
    EXPECT_THAT(testing::faults_of(testing::edited(
                    testing::smallest_job(), "[wsd]\nbranches = [400_000]\nadded_branches = [399_500]\n")),
                ::testing::ElementsAre(::testing::HasSubstr(
                    "wsd.added_branches[1]: 399500 is a branch already (wsd.branches has 400000, the same "
                    "step) drop one of them")));
}

}  // namespace
}  // namespace isogrid::study
