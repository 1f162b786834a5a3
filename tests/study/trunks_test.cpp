// isoFLOP budgets as decays from one trunk a shape: the same cells, for fewer FLOPs.
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "study/branches.hpp"
#include "study/job_text.hpp"

namespace isogrid::study {
namespace {

Study with(const std::string& changes) {
    const Result<Study> study = testing::parsed(
        testing::edited(testing::smallest_job(),
                        "[recipe]\nschedule = \"warmup_stable_decay\"\ndecay_fraction = 0.1\n"
                        "[isoflop]\nbudgets = [1e12, 2e12, 4e12, 8e12, 1.6e13]\nsizes = 12\n" +
                            changes));
    EXPECT_TRUE(study) << to_string(study.error());
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

}  // namespace
}  // namespace isogrid::study
