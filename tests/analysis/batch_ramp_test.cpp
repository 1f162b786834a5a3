// Ramps against fixed batches: differences seed by seed, their interval, and refusals.
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/laws/law.hpp"

namespace isogrid::analysis {
namespace {

using testing::HasSubstr;

Run run_of(const std::string& family, const std::string& seed, double steps, double loss) {
    Run run;
    run.family = family;
    run.seed = seed;
    run.parameters = 1e5;
    run.steps = steps;
    run.loss = loss;
    if (!family.starts_with("ramp")) run.batch = 1e6 / steps;
    return run;
}

double cell(const LawFit& fit, std::size_t row, const std::string& column) {
    const Table& table = fit.tables.at(1);
    for (std::size_t c = 0; c < table.columns.size(); ++c)
        if (table.columns[c].key == column) return std::get<double>(table.rows.at(row).at(c));
    return std::nan("");
}

Runs two_seeds() {
    Runs runs;
    runs.used = {run_of("batch_4", "1", 1000, 2.00), run_of("batch_4", "2", 1000, 2.10),
                 run_of("batch_32", "1", 125, 2.30), run_of("batch_32", "2", 125, 2.44),
                 run_of("ramp", "1", 400, 2.01),     run_of("ramp", "2", 400, 2.13)};
    return runs;
}

TEST(BatchRamp, comparesSeedBySeed) {
    const LawFit fit = fit_batch_ramp(two_seeds(), {});
    ASSERT_FALSE(fit.refused);
    EXPECT_DOUBLE_EQ(cell(fit, 0, "steps_share"), 0.4);
    EXPECT_NEAR(cell(fit, 0, "loss_difference"), 0.02, 1e-12);
    // Differences .01 and .03: standard error .01, Student's t of one degree of freedom 12.706.
    EXPECT_NEAR(cell(fit, 0, "loss_difference_low"), 0.02 - 0.12706, 0.002);
    EXPECT_NEAR(cell(fit, 0, "loss_difference_high"), 0.02 + 0.12706, 0.002);
    EXPECT_DOUBLE_EQ(cell(fit, 1, "steps_share"), 3.2);
    EXPECT_NEAR(cell(fit, 1, "loss_difference"), -0.3, 1e-12);
    EXPECT_THAT(fit.notes.at(0),
                HasSubstr("ramp takes 40% of the steps of batch_4, and its loss is 0.02 higher"));
    EXPECT_THAT(fit.notes.at(0), HasSubstr("which the seeds do not tell from none"));
    // Differences -.29 and -.31, Student's half width .127 again.
    EXPECT_THAT(fit.notes.at(1), HasSubstr("of batch_32, and its loss is 0.3 lower (0.173 to 0.427)"));
}

/// The same losses at this rate, all higher by `more`.
void add_rate(Runs& runs, const std::string& family, double rate, double more) {
    const std::vector<Run> at_first = runs.used;
    for (Run run : at_first)
        if (run.family == family && !run.learning_rate)
            run.learning_rate = rate, run.loss += more, runs.used.push_back(run);
}

TEST(BatchRamp, takesOneLearningRateForAllSeeds) {
    Runs runs = two_seeds();
    add_rate(runs, "ramp", 1e-3, 0.01);
    runs.used.back().loss = 2.05;  // seed 2 alone does better at this rate: mean 2.035 against 2.07
    add_rate(runs, "batch_4", 1e-3, 1);
    const LawFit fit = fit_batch_ramp(runs, {});
    // 2.02 - 2.00 and 2.05 - 2.10; the best of each seed would be 2.01 - 2.00 and 2.05 - 2.10.
    EXPECT_NEAR(cell(fit, 0, "loss_difference"), -0.015, 1e-12);
    // A rate that was tried with one seed is none that all seeds can be compared at.
    auto lucky = run_of("ramp", "1", 400, 1.5);
    lucky.learning_rate = 2e-3;
    runs.used.push_back(lucky);
    EXPECT_NEAR(cell(fit_batch_ramp(runs, {}), 0, "loss_difference"), -0.015, 1e-12);
}

TEST(BatchRamp, warnsWhereOneHadMoreLearningRatesToChooseFrom) {
    Runs runs = two_seeds();
    add_rate(runs, "ramp", 1e-3, 0.1);
    const LawFit unequal = fit_batch_ramp(runs, {});
    ASSERT_EQ(unequal.warnings.size(), 2u) << "one for each fixed batch";
    EXPECT_THAT(unequal.warnings.front().text,
                HasSubstr("ramp was run with 2 learning rates, batch_4 with 1 learning rate"));
    add_rate(runs, "batch_4", 1e-3, 0.1);
    add_rate(runs, "batch_32", 1e-3, 0.1);
    EXPECT_TRUE(fit_batch_ramp(runs, {}).warnings.empty());
}

TEST(BatchRamp, hasNoIntervalFromOneSeed) {
    Runs runs;
    runs.used = {run_of("batch_4", "1", 1000, 2.00), run_of("ramp", "1", 400, 2.01)};
    const LawFit fit = fit_batch_ramp(runs, {});
    EXPECT_TRUE(std::isnan(cell(fit, 0, "loss_difference_low")));
    EXPECT_THAT(fit.notes.at(0), HasSubstr("one seed: no interval"));
}

TEST(BatchRamp, comparesRunsOfTheSameTokens) {
    Runs runs = two_seeds();
    for (auto& run : runs.used)
        run.tokens = run.family == "ramp" ? 1.01e6 : run.family == "batch_4" ? 2e6 : 1e6;
    const LawFit fit = fit_batch_ramp(runs, {});
    ASSERT_FALSE(fit.refused);
    ASSERT_EQ(fit.tables.at(1).rows.size(), 1u) << "batch_4 saw twice as many";
    EXPECT_EQ(std::get<std::string>(fit.tables.at(1).rows[0].at(2)), "batch_32");
    for (auto& run : runs.used)
        if (run.family == "batch_32") run.tokens = 3e6;
    ASSERT_TRUE(fit_batch_ramp(runs, {}).refused);
    EXPECT_THAT(fit_batch_ramp(runs, {}).refused->text, HasSubstr("of the same tokens"));
}

TEST(BatchRamp, refusesRunsWithNothingToCompare) {
    Runs runs = two_seeds();
    runs.used.resize(4);
    EXPECT_TRUE(fit_batch_ramp(runs, {}).refused);
    runs.used = {run_of("batch_4", "1", 1000, 2.00), run_of("ramp", "2", 400, 2.01)};
    EXPECT_TRUE(fit_batch_ramp(runs, {}).refused) << "no seed in common";
}

}  // namespace
}  // namespace isogrid::analysis
