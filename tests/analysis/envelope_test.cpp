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

TEST(Envelope, saysWhereComputeStandsStillAlongTheCurves) {
    Runs runs = curve_runs();
    for (auto& run : runs.used)  // the column of tokens says what the whole run will see
        for (CurveSample& sample : run.curve)
            sample.tokens = run.tokens, sample.flops = run.flops;
    const LawFit fit = fit_envelope(runs, {});
    ASSERT_TRUE(fit.refused);
    EXPECT_EQ(fit.refused->kind, Refusal::no_curves);
    EXPECT_EQ(fit.refused->text,
              "compute does not grow along the training curves (all rows of a run have the same C) name the "
              "tokens so far as tokens=, or leave it out and name batch= and step=");
}

/// Runs of the known law at a constant learning rate, four times as long as is best for their size.
Runs constant_rate_runs(std::size_t sizes, double noise, Random& random) {
    Runs runs;
    for (std::size_t k = 0; k < sizes; ++k) {
        Run& run = runs.used.emplace_back();
        const double share = static_cast<double>(k) / static_cast<double>(sizes - 1);
        const auto best = known_law.optimum(1e18 * std::pow(1000, share), 6);
        run.parameters = best.parameters * std::exp(0.1 * random.normal());
        run.tokens = 4 * best.tokens;
        run.flops = run.budget = 6 * run.parameters * run.tokens;
        const double off = 1 + noise * random.normal();
        for (int i = 0; i <= 60; ++i) {
            const double tokens = run.tokens * std::pow(10, -2 + i / 30.0);
            run.curve.push_back(
                {tokens, 6 * run.parameters * tokens, off * known_loss(run.parameters, tokens)});
        }
        run.loss = run.curve.back().loss;
    }
    return runs;
}

TEST(Envelope, intervalsCoverTheTruth) {
    const double truth = known_law.beta / (known_law.alpha + known_law.beta);
    const auto draws = recovery_draws();
    std::size_t covered = 0;
    double mean = 0;
    for (const std::size_t draw : draws) {
        Random random(23, draw);
        FitOptions options = recovery_options({}, draw);
        options.bootstrap = 200;
        const LawFit fit = fit_envelope(constant_rate_runs(12, 3e-3, random), options);
        ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
        const Estimate exponent = estimate_of(fit.parameters, "parameters_exponent");
        covered += exponent.low <= truth && truth <= exponent.high;
        mean += exponent.value / static_cast<double>(draws.size());
    }
    expect_coverage(covered, draws.size(), "envelope: exponent of N*");
    // A line through every point of the staircase would be too flat by .04; the draws scatter by .037.
    EXPECT_NEAR(mean, truth, 0.01 + 2.5 * 0.037 / std::sqrt(static_cast<double>(draws.size())));
}

}  // namespace
}  // namespace isogrid::analysis
