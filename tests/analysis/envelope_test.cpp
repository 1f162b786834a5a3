// The lower envelope of training curves.
#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recovery.hpp"
#include "synthetic_runs.hpp"

namespace isogrid::analysis {
namespace {

using testing::HasSubstr;

FitOptions without_bootstrap() {
    FitOptions options;
    options.bootstrap = 0;
    return options;
}

/// Curves whose envelope is known: run k is a straight line in log C that touches N = C^0.5 at its end.
Runs curve_runs() {
    Runs runs;
    runs.source = "curves";
    for (int k = 0; k < 12; ++k) {
        Run run;
        run.name = "run " + std::to_string(k);
        run.flops = run.budget = 1e12 * std::pow(2.0, k);
        run.parameters = std::sqrt(run.flops);
        run.tokens = run.flops / (6 * run.parameters);
        for (int point = 1; point <= 20; ++point) {
            const double share = std::pow(10.0, -2 + point / 10.0);
            run.curve.push_back({run.tokens * share, run.flops * share,
                                 4 * std::pow(run.flops / 1e12, -0.05) * (1 - 0.2 * std::log10(share))});
        }
        run.loss = run.curve.back().loss;
        runs.used.push_back(run);
    }
    return runs;
}

TEST(Envelope, followsTheRunsThatAreBestAtEachCompute) {
    const LawFit fit = fit_envelope(curve_runs(), without_bootstrap());
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    // The true law is 0.5; a staircase of 10 sizes over 3 decades leaves it within one step's slope.
    EXPECT_NEAR(value_of(fit.parameters, "parameters_exponent"), 0.5, 0.02);
    EXPECT_NEAR(value_of(fit.parameters, "tokens_exponent"), 0.5, 0.02);
    for (std::size_t i = 1; i < fit.optima.size(); ++i)
        EXPECT_LT(fit.optima[i].loss, fit.optima[i - 1].loss);
}

TEST(Envelope, leavesOutTheSmallestAndTheLargestSize) {
    const Runs runs = curve_runs();
    for (const Optimum& optimum : fit_envelope(runs, without_bootstrap()).optima) {
        EXPECT_GT(optimum.parameters, runs.used.front().parameters);
        EXPECT_LT(optimum.parameters, runs.used.back().parameters);
    }
}

TEST(Envelope, isRefusedWithoutCurvesOrWithTooFewSizes) {
    const LawFit without = fit_envelope(isoflop_runs(four_budgets, 7, 3, known_loss), {});
    ASSERT_TRUE(without.refused);
    EXPECT_EQ(without.refused->kind, Refusal::no_curves);
    Runs runs = curve_runs();
    runs.used.resize(3);
    const LawFit few = fit_envelope(runs, {});
    ASSERT_TRUE(few.refused);
}

}  // namespace
}  // namespace isogrid::analysis
