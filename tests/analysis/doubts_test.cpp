#include "analysis/answer/doubts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace isogrid::analysis {
namespace {

using testing::HasSubstr;

constexpr double flops = 1e20;

Prediction predicted(const std::string& law, double low, double size, double high) {
    Prediction prediction;
    prediction.law = law, prediction.flops = flops;
    prediction.parameters = {size, 0, low, high};
    return prediction;
}

/// Of `isoflop`: 1e9 parameters (8e8 to 1.2e9) on 2e10 tokens.
Decision decided() {
    Decision decision;
    decision.law = "isoflop", decision.flops = flops;
    decision.parameters = {1e9, 0, 8e8, 1.2e9}, decision.tokens = {2e10, 0, 2e10, 2e10};
    return decision;
}

std::string doubts(const Answer& all) {
    Decision decision = decided();
    add_doubts(all, decision);
    std::string text;
    for (const Reason& warning : decision.warnings)
        text += to_string(warning) + "\n";
    return text;
}

TEST(Doubts, areWhatWasSaidOfTheLawThatDecides) {
    Answer all;
    all.fits.resize(2);
    all.fits[0].name = "isoflop", all.fits[1].name = "envelope";
    all.fits[0].warnings = {{Refusal::too_few_budgets, "three (why) add some"},
                            {Refusal::too_few_runs, "of a budget that was left out"}};
    all.fits[1].warnings = {{Refusal::on_bound, "of another law"}};
    EXPECT_EQ(doubts(all), "too_few_budgets: three (why) add some\n");
}

TEST(Doubts, areOfLawsOutsideOfEachOthersIntervals) {
    Answer all;
    all.predictions = {predicted("isoflop", 8e8, 1e9, 1.2e9), predicted("joint", 1.1e9, 1.5e9, 2e9)};
    EXPECT_EQ(doubts(all), "") << "they meet";
    all.predictions[1] = predicted("joint", 1.3e9, 1.5e9, 2e9);
    EXPECT_THAT(doubts(all),
                HasSubstr("laws_differ: isoflop says 1B (800M to 1.2B) parameters, and joint 1.5B"));
    all.predictions[1].flops = 10 * flops;
    EXPECT_EQ(doubts(all), "") << "of another budget";
}

TEST(Doubts, areOfRatiosOfTokensThatNoRunTried) {
    Answer all;
    all.fits.resize(1);
    all.fits[0].name = "isoflop";
    all.runs.used.resize(2);
    for (auto& run : all.runs.used)
        run.parameters = 1e8, run.loss = 3;
    all.runs.used[0].tokens = 1e9, all.runs.used[1].tokens = 3e9;  // 10 and 30 for each parameter
    EXPECT_EQ(doubts(all), "");
    all.runs.used[1].tokens = 1.5e9;
    EXPECT_THAT(doubts(all),
                HasSubstr("far_extrapolation: 20 tokens a parameter were not tried (runs have 10 to 15"));
}

}  // namespace
}  // namespace isogrid::analysis
