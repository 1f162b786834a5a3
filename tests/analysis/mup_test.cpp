// Does the learning rate transfer across widths? Known slopes recovered, verdicts, refusals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recovery.hpp"
#include "synthetic_runs.hpp"

namespace isogrid::analysis {
namespace {

using testing::HasSubstr;
using AnalysisRun = ::isogrid::analysis::Run;

FitOptions replicates(std::size_t count) {
    FitOptions options;
    options.bootstrap = count;
    return options;
}

/// Learning rates a factor of two apart at five widths; under `standard` the best falls as 1 / width.
Runs width_sweeps(double noise, Random& random, double mup_slope = 0) {
    Runs runs;
    runs.source = "synthetic";
    for (const bool mup : {false, true})
        for (const double width : {64., 128., 256., 512., 1024.})
            for (double step = -3; step <= 3; ++step) {
                AnalysisRun run;
                run.name = "run " + std::to_string(runs.used.size());
                run.width = width;
                run.parametrization = mup ? "mup" : "standard";
                run.parameters = 12 * 4 * width * width, run.tokens = 1e8;
                const double best = mup ? 0.01 * std::pow(width / 64, mup_slope) : 0.64 / width;
                run.learning_rate = std::exp2(std::round(std::log2(best)) + step);
                const double x = std::log(*run.learning_rate / best);
                run.loss = (2 + 20 / std::sqrt(width)) * std::exp(0.01 * x * x + noise * random.normal());
                run.batch = 65536;
                runs.used.push_back(run);
            }
    return runs;
}

TEST(Mup, recoversTheSlopesOfBothParametrizations) {
    Random random(1, 0);
    const LawFit fit = fit_mup(width_sweeps(0.001, random), replicates(200));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "standard_slope"), -1, 0.1);
    EXPECT_NEAR(value_of(fit.parameters, "mup_slope"), 0, 0.1);
    const std::string notes = testing::PrintToString(fit.notes);
    EXPECT_THAT(notes, HasSubstr("mup transfers"));
    EXPECT_THAT(notes, HasSubstr("standard does not transfer"));
}

TEST(Mup, isUndecidedWhereTheNoiseHidesTheSlope) {
    Random random(1, 1);
    const LawFit fit = fit_mup(width_sweeps(0.02, random), replicates(200));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_THAT(testing::PrintToString(fit.notes), HasSubstr("mup undecided"));
}

TEST(Mup, intervalsCoverTheTruth) {
    const auto draws = recovery_draws();
    std::size_t standard = 0, mup = 0, coefficient = 0;
    for (const std::size_t draw : draws) {
        Random random(29, draw);
        const LawFit fit =
            fit_mup(width_sweeps(0.002, random, -0.1), recovery_options(replicates(300), draw));
        ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
        standard += covers(estimate_of(fit.parameters, "standard_slope"), -1);
        mup += covers(estimate_of(fit.parameters, "mup_slope"), -0.1);
        coefficient += covers(estimate_of(fit.derived, "standard_coefficient"), 0.64);
    }
    expect_coverage(standard, draws.size(), "slope, standard");
    expect_coverage(mup, draws.size(), "slope, mup");
    expect_coverage(coefficient, draws.size(), "coefficient, standard");
}

TEST(Mup, warnsWhereWidthsDifferInTheirDataOrBatches) {
    Random random(1, 5);
    const Runs runs = width_sweeps(0.001, random);
    const auto warnings_of = [](const Runs& some) {
        return testing::PrintToString([&] {
            std::vector<std::string> texts;
            for (const Reason& warning : fit_mup(some, replicates(50)).warnings)
                texts.push_back(warning.text);
            return texts;
        }());
    };
    EXPECT_THAT(warnings_of(runs), testing::Not(HasSubstr("the widths differ")));
    Runs longer = runs, larger = runs;
    for (AnalysisRun& run : longer.used)  // twenty tokens a parameter, say
        if (run.parametrization == "mup") run.tokens = 20 * run.parameters;
    for (AnalysisRun& run : larger.used)
        run.batch = *run.width * 1024;
    EXPECT_THAT(warnings_of(longer), HasSubstr("mup: the widths differ in their tokens"));
    EXPECT_THAT(warnings_of(longer), testing::Not(HasSubstr("standard: the widths differ")));
    EXPECT_THAT(warnings_of(larger), HasSubstr("standard: the widths differ in their batches"));
}

TEST(Mup, predictsWiderModelsFromNarrowerOnes) {
    Random random(1, 4);
    const LawFit fit = fit_mup(width_sweeps(0, random, -0.1), replicates(0));
    const auto table = std::find_if(fit.tables.begin(), fit.tables.end(),
                                    [](const Table& t) { return t.key == "validation"; });
    ASSERT_NE(table, fit.tables.end());
    ASSERT_EQ(table->rows.size(), 6u);  // two parametrizations, fitted up to the second, third, fourth width
    EXPECT_EQ(std::get<std::string>(table->rows[0][0]), "mup");
    EXPECT_EQ(std::get<double>(table->rows[0][1]), 128);
    EXPECT_EQ(std::get<double>(table->rows[0][3]), 3);  // 256, 512 and 1024 predicted
    for (const auto& row : table->rows)
        EXPECT_LT(std::get<double>(row[5]), 1e-6);  // noiseless bowls lie on their line
}

TEST(Mup, refusesRunsOfOneWidth) {
    Random random(1, 2);
    Runs runs = width_sweeps(0.001, random);
    std::erase_if(runs.used, [](const AnalysisRun& run) { return run.width != 256; });
    const LawFit fit = fit_mup(runs, replicates(50));
    ASSERT_TRUE(fit.refused);
    EXPECT_EQ(fit.refused->kind, Refusal::too_few_runs);
}

TEST(Mup, saysWhichWidthsEndAtTheirBest) {
    Random random(1, 3);
    Runs runs = width_sweeps(0.0005, random);
    std::erase_if(runs.used, [](const AnalysisRun& run) {
        return run.parametrization == "standard" && run.width == 1024 && *run.learning_rate < 0.64 / 1024;
    });
    const LawFit fit = fit_mup(runs, replicates(50));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    ASSERT_FALSE(fit.warnings.empty());
    EXPECT_EQ(fit.warnings.front().kind, Refusal::edge_minimum);
    EXPECT_THAT(fit.warnings.front().text, HasSubstr("try smaller ones"));
}

}  // namespace
}  // namespace isogrid::analysis
