// Best learning rates and batches: known laws recovered, refusals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/laws/sweep.hpp"
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

/// Close to Li et al. 2025: eta* = 1.8 N^-.7 D^.3, B* = .6 D^.57.
double best_rate(double parameters, double tokens) {
    return 1.8 * std::pow(parameters, -0.7) * std::pow(tokens, 0.3);
}
double best_batch(double tokens) {
    return 0.6 * std::pow(tokens, 0.57);
}

/// The same batch about 1e9 tokens, but as a power of the loss.
double best_batch_of_loss(double loss) {
    return 1e7 * std::pow(loss, -4);
}

/// Loss a share of noise about a quadratic in log eta and log B.
Runs sweeps(double noise, Random& random, bool with_batch,
            const std::vector<double>& steps = {-2, -1, 0, 1, 2}, bool follow_loss = false) {
    Runs runs;
    runs.source = "synthetic";
    for (const double parameters : {5e7, 2e8, 8e8})
        for (const double tokens : {1e9, 4e9, 1.6e10})
            for (const double rate : steps)
                for (const double batch : with_batch ? steps : std::vector<double>{0}) {
                    AnalysisRun run;
                    run.name = "run " + std::to_string(runs.used.size());
                    run.parameters = parameters, run.tokens = tokens, run.flops = 6 * parameters * tokens;
                    // A grid of powers of two, as people take, so that the optimum lies between its points.
                    run.learning_rate =
                        std::exp2(std::round(std::log2(best_rate(parameters, tokens))) + rate);
                    const double best =
                        follow_loss ? best_batch_of_loss(known_loss(parameters, tokens)) : best_batch(tokens);
                    run.batch = with_batch ? std::exp2(std::round(std::log2(best)) + batch) : 5e5;
                    const double x = std::log(*run.learning_rate / best_rate(parameters, tokens));
                    const double y = with_batch ? std::log(*run.batch / best) : 0;
                    run.loss =
                        known_loss(parameters, tokens) *
                        std::exp(0.01 * x * x + 0.004 * x * y + 0.008 * y * y + noise * random.normal());
                    runs.used.push_back(run);
                }
    return runs;
}

TEST(Hyperparameters, recoverTheLearningRatesLaw) {
    Random random(1, 0);
    const LawFit fit = fit_hyperparameters(sweeps(0, random, false), replicates(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "learning_rate_N_exponent"), -0.7, 1e-9);
    EXPECT_NEAR(value_of(fit.parameters, "learning_rate_D_exponent"), 0.3, 1e-9);
    EXPECT_NEAR(value_of(fit.parameters, "learning_rate_coefficient"), 1.8, 1e-7);
    ASSERT_TRUE(fit.learning_rate_at);
    EXPECT_NEAR(fit.learning_rate_at(1e9, 2e10).value / best_rate(1e9, 2e10), 1, 1e-8);
    EXPECT_TRUE(fit.batch_rules.empty());
}

TEST(Hyperparameters, recoverLearningRateAndBatchTogether) {
    Random random(1, 1);
    const LawFit fit = fit_hyperparameters(sweeps(0, random, true), replicates(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "learning_rate_N_exponent"), -0.7, 1e-9);
    EXPECT_NEAR(value_of(fit.parameters, "batch_D_exponent"), 0.57, 1e-9);
    EXPECT_NEAR(value_of(fit.parameters, "batch_N_exponent"), 0, 1e-9);
    EXPECT_NEAR(batch_by(fit, "N and D", 1e9, 2e10).value / best_batch(2e10), 1, 1e-8);
    EXPECT_EQ(fit.batch_rules.back().in, "L");
}

// Losses level off at a floor, so that no power of them grows as the data do, and the other way round.
TEST(Hyperparameters, trustTheBatchsLawThatPredictsWhatItHasNotSeen) {
    for (const bool follow_loss : {false, true}) {
        Random random(24, follow_loss);
        const LawFit fit =
            fit_hyperparameters(sweeps(1e-4, random, true, {-2, -1, 0, 1, 2}, follow_loss), replicates(0));
        ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
        const BatchRule* trusted = most_trusted(fit.batch_rules);
        EXPECT_EQ(trusted->in, follow_loss ? "L" : "N and D");
        const double size = 1e10, tokens = 2e11, loss = known_loss(size, tokens);
        const double truth = follow_loss ? best_batch_of_loss(loss) : best_batch(tokens);
        EXPECT_NEAR(std::log(trusted->at(size, tokens, loss).value / truth), 0, 0.2);
        const BatchRule& other = fit.batch_rules[follow_loss ? 0 : 1];
        EXPECT_GT(other.held_out, 3 * trusted->held_out);
    }
}

TEST(Hyperparameters, intervalsCoverTheTruth) {
    const auto draws = recovery_draws();
    std::size_t size = 0, data = 0, rate = 0, batch = 0, batch_size = 0;
    for (const std::size_t draw : draws) {
        Random random(23, draw);
        const LawFit fit =
            fit_hyperparameters(sweeps(0.002, random, true), recovery_options(replicates(200), draw));
        ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
        size += covers(estimate_of(fit.parameters, "learning_rate_N_exponent"), -0.7);
        data += covers(estimate_of(fit.parameters, "learning_rate_D_exponent"), 0.3);
        rate += covers(fit.learning_rate_at(1e9, 2e10), best_rate(1e9, 2e10));
        batch += covers(estimate_of(fit.parameters, "batch_D_exponent"), 0.57);
        batch_size += covers(batch_by(fit, "N and D", 1e9, 2e10), best_batch(2e10));
    }
    expect_coverage(size, draws.size(), "learning rate, exponent of N");
    expect_coverage(data, draws.size(), "learning rate, exponent of D");
    expect_coverage(rate, draws.size(), "learning rate predicted");
    expect_coverage(batch, draws.size(), "batch, exponent of D");
    expect_coverage(batch_size, draws.size(), "batch predicted");
}

TEST(Hyperparameters, reachAsFarAsItTakesToSeeEveryKnobBend) {
    // Learning rates a factor of 8 apart, batches of 1.3: within a factor of 4 lie many points of one rate.
    const double best = std::log(1.3e-3), middle = std::log(230.0);
    Bowl bowl;
    std::vector<std::vector<double>> places;
    std::vector<double> log_loss;
    for (const double rate : {1.25e-4, 1e-3, 8e-3})
        for (int j = 0; j < 11; ++j) {
            const double x = std::log(rate), y = std::log(64 * std::pow(1.3, j));
            places.push_back({x, y});
            log_loss.push_back(1 + 0.02 * std::pow(x - best, 2) + 0.03 * std::pow(y - middle, 2));
        }
    bowl = fit_bowl(places, log_loss);
    ASSERT_FALSE(bowl.refused);
    EXPECT_NEAR(bowl.vertex[0], best, 1e-9);
    EXPECT_NEAR(bowl.vertex[1], middle, 1e-9);
    EXPECT_EQ(bowl.distant.size(), 0u);
    for (auto& place : places)  // a factor of 64 apart, none is near enough
        place[0] = best + 2 * (place[0] - best);
    bowl = fit_bowl(places, log_loss);
    EXPECT_EQ(bowl.refused, Refusal::too_few_runs);
    EXPECT_EQ(bowl.distant.size(), 22u);
}

TEST(Hyperparameters, refuseSweepsThatEndAtTheirBest) {
    Random random(2, 0);
    const LawFit fit = fit_hyperparameters(sweeps(0, random, false, {-6, -5, -4, -3}), replicates(0));
    ASSERT_TRUE(fit.refused);
    EXPECT_EQ(fit.refused->kind, Refusal::edge_minimum);
    ASSERT_FALSE(fit.warnings.empty());
    EXPECT_THAT(fit.warnings.front().text, HasSubstr("the largest learning rate tried"));
    EXPECT_THAT(fit.warnings.front().text, HasSubstr("try larger ones"));
}

TEST(Hyperparameters, refuseRunsThatSweepNothing) {
    const LawFit fit = fit_hyperparameters(isoflop_runs({1e18}, 3, 1, known_loss), {});
    ASSERT_TRUE(fit.refused);
    EXPECT_EQ(fit.refused->kind, Refusal::too_few_runs);
}

TEST(Hyperparameters, leaveDivergedRunsOut) {
    Random random(2, 1);
    Runs runs = sweeps(0, random, false);
    const LawFit before = fit_hyperparameters(runs, replicates(0));
    std::vector<AnalysisRun> diverged;
    for (AnalysisRun run : runs.used) {
        run.learning_rate = *run.learning_rate * 64, run.loss = 9;
        diverged.push_back(run);
    }
    runs.used.insert(runs.used.end(), diverged.begin(), diverged.end());
    const LawFit fit = fit_hyperparameters(runs, replicates(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "learning_rate_N_exponent"), -0.7, 1e-9);
    EXPECT_THAT(testing::PrintToString(fit.notes), HasSubstr("45 runs with losses above"));
}

TEST(Hyperparameters, takeTheLowestLossOfOtherSettings) {
    Random random(2, 2);
    Runs runs = sweeps(0, random, false);
    const std::size_t count = runs.used.size();
    for (std::size_t i = 0; i < count; ++i) {  // another weight decay
        AnalysisRun worse = runs.used[i];
        worse.loss *= 1.03;
        runs.used.push_back(worse);
    }
    EXPECT_NEAR(value_of(fit_hyperparameters(runs, replicates(0)).parameters, "learning_rate_N_exponent"),
                -0.7, 1e-9);
}

TEST(Hyperparameters, averageRepeatsBySeed) {
    Runs runs;
    for (const char* seed : {"1", "2"})
        for (const double rate : {1e-3, 2e-3, 4e-3}) {
            AnalysisRun run;
            run.parameters = 1e6, run.tokens = 1e8, run.seed = seed, run.learning_rate = rate;
            run.loss = 3 + (seed[0] == '1' ? 0.02 : -0.02) + 0.1 * std::pow(std::log(rate / 2e-3), 2);
            runs.used.push_back(run);
        }
    const auto found = gather_sweeps(runs.used, Sweeping::learning_rate_and_batch);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_NEAR(std::exp(found.front().bowl.minimum), 3, 1e-12);
}

TEST(Hyperparameters, takeNearlyEqualSizesForEqual) {
    Runs runs;
    for (double tokens = 1e9; tokens < 1e11; tokens *= 4)
        for (double step = -2; step <= 2; ++step) {
            AnalysisRun run;  // sizes half a thousandth apart, about where a rounding would part them
            run.parameters = std::exp(18.0048) * (runs.used.size() / 5 % 2 == 0 ? 1 : 1.0005);
            run.tokens = tokens;
            run.learning_rate = best_rate(run.parameters, tokens) * std::exp2(step);
            run.loss = known_loss(run.parameters, tokens) * (1 + 0.005 * step * step);
            runs.used.push_back(run);
        }
    const LawFit fit = fit_hyperparameters(runs, replicates(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "learning_rate_D_exponent"), 0.3, 1e-3);
    EXPECT_TRUE(std::isnan(value_of(fit.parameters, "learning_rate_N_exponent")));
}

TEST(Hyperparameters, sayWhereSizeAndDataGrewTogether) {
    Random random(2, 3);
    Runs runs;
    for (double parameters = 1e7; parameters < 2e9; parameters *= 4)
        for (double step = -2; step <= 2; ++step) {
            AnalysisRun run;
            run.parameters = parameters, run.tokens = 20 * parameters;
            run.learning_rate = best_rate(parameters, run.tokens) * std::exp2(step);
            run.loss = known_loss(parameters, run.tokens) * (1 + 0.005 * step * step);
            runs.used.push_back(run);
        }
    const LawFit fit = fit_hyperparameters(runs, replicates(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    ASSERT_FALSE(fit.warnings.empty());
    EXPECT_EQ(fit.warnings.front().kind, Refusal::not_separable);
    EXPECT_NEAR(value_of(fit.parameters, "learning_rate_N_exponent"), -0.4, 1e-3);
}

}  // namespace
}  // namespace isogrid::analysis
