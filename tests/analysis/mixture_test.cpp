// Loss over mixtures: a known law recovered, the best mixture, refusals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/laws/mixture_forms.hpp"
#include "recovery.hpp"
#include "synthetic_runs.hpp"

namespace isogrid::analysis {
namespace {

using testing::HasSubstr;
using AnalysisRun = ::isogrid::analysis::Run;
using Shares = std::vector<double>;

FitOptions replicates(std::size_t count) {
    FitOptions options;
    options.objective = parse_objective("l2").value();  // the noise is normal
    options.bootstrap = count;
    return options;
}

/// c 2, k .8 and t that add up to 0.
double exponential_loss(const Shares& r) {
    return 2 + 0.8 * std::exp(-1.5 * r[0] + 0.5 * r[1] + 1.0 * r[2]);
}

/// Lowest at (.5, .3, .2).
double inner_loss(const Shares& r) {
    return 2.5 + std::pow(r[0] - 0.5, 2) + std::pow(r[1] - 0.3, 2) + std::pow(r[2] - 0.2, 2);
}

Runs mixtures(double noise, Random& random, double (*loss)(const Shares&)) {
    Runs runs;
    runs.source = "synthetic";
    runs.sources = {"web", "code", "books"};
    for (int i = 0; i <= 8; ++i)
        for (int j = 0; i + j <= 8; ++j) {
            AnalysisRun run;
            run.name = "run " + std::to_string(runs.used.size());
            run.parameters = 1e8, run.tokens = 2e9;
            run.shares = {i / 8., j / 8., (8 - i - j) / 8.};
            run.loss = loss(run.shares) * std::exp(noise * random.normal());
            runs.used.push_back(run);
        }
    return runs;
}

TEST(Mixture, recoversTheExponentialLaw) {
    Random random(1, 0);
    const LawFit fit = fit_mixture(mixtures(0, random, exponential_loss), replicates(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "c"), 2, 1e-4);
    EXPECT_NEAR(value_of(fit.parameters, "k"), 0.8, 1e-4);
    EXPECT_NEAR(value_of(fit.parameters, "t.web"), -1.5, 1e-3);
    EXPECT_NEAR(value_of(fit.parameters, "t.books"), 1.0, 1e-3);
    EXPECT_NEAR(value_of(fit.derived, "best.web"), 1, 1e-4);
    ASSERT_FALSE(fit.warnings.empty());
    EXPECT_EQ(fit.warnings.back().kind, Refusal::edge_minimum);
}

TEST(Mixture, findsABestMixtureInside) {
    Random random(1, 1);
    const LawFit fit = fit_mixture(mixtures(0.002, random, inner_loss), replicates(200));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.derived, "best.web"), 0.5, 0.03);
    EXPECT_NEAR(value_of(fit.derived, "best.code"), 0.3, 0.03);
    EXPECT_THAT(testing::PrintToString(fit.notes), HasSubstr("best mixture are those of the quadratic form"));
}

TEST(Mixture, intervalsCoverTheTruth) {
    const auto draws = recovery_draws();
    std::size_t rate = 0, other = 0, floor = 0, scale = 0;
    for (const std::size_t draw : draws) {
        Random random(41, draw);
        const LawFit fit =
            fit_mixture(mixtures(0.003, random, exponential_loss), recovery_options(replicates(200), draw));
        ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
        rate += covers(estimate_of(fit.parameters, "t.web"), -1.5);
        other += covers(estimate_of(fit.parameters, "t.code"), 0.5);
        floor += covers(estimate_of(fit.parameters, "c"), 2);
        scale += covers(estimate_of(fit.parameters, "k"), 0.8);
    }
    expect_coverage(rate, draws.size(), "t.web");
    expect_coverage(other, draws.size(), "t.code");
    expect_coverage(floor, draws.size(), "c");
    expect_coverage(scale, draws.size(), "k");
}

TEST(Mixture, bestMixturesIntervalsCoverTheTruth) {
    // The loss is no Scheffe polynomial in logarithms, but so near that noise hides it.
    const auto draws = recovery_draws();
    std::size_t web = 0, code = 0;
    for (const std::size_t draw : draws) {
        Random random(43, draw);
        const LawFit fit =
            fit_mixture(mixtures(0.01, random, inner_loss), recovery_options(replicates(100), draw));
        ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
        web += covers(estimate_of(fit.derived, "best.web"), 0.5);
        code += covers(estimate_of(fit.derived, "best.code"), 0.3);
    }
    expect_coverage(web, draws.size(), "best.web");
    expect_coverage(code, draws.size(), "best.code");
}

TEST(Mixture, triesWhatSmallModelsSayOnLargerOnes) {
    Random random(1, 5);
    Runs runs = mixtures(1e-4, random, exponential_loss);
    const Runs larger = mixtures(1e-4, random, [](const Shares& r) { return 0.8 * exponential_loss(r); });
    for (AnalysisRun run : larger.used) {
        run.parameters *= 10, run.tokens *= 10;
        if (run.shares[0] > 0.3) runs.used.push_back(run);
    }
    const LawFit fit = fit_mixture(runs, replicates(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    const auto table = std::find_if(fit.tables.begin(), fit.tables.end(),
                                    [](const Table& t) { return t.key == "validation"; });
    ASSERT_NE(table, fit.tables.end());
    ASSERT_EQ(table->rows.size(), 1u);
    EXPECT_DOUBLE_EQ(std::get<double>(table->rows[0][3]), 2);  // decades of 6 N D
    EXPECT_LT(std::get<double>(table->rows[0][4]), 3e-4);      // the factor .8 is granted, noise is left
    EXPECT_GT(std::get<double>(table->rows[0][5]), 0.05);      // what the mean alone would miss
}

// Twenty mixtures drawn evenly from all, of four sources each with a loss of its own: the descent goes from
// edge to edge of what was tried, in ever longer steps.
TEST(Mixture, bestSharesAddUpToOneAndLieWithinThoseTried) {
    for (std::uint64_t draw = 0; draw < 100; ++draw) {
        Random random(53, draw);
        Runs runs;
        runs.sources = {"web", "code", "books", "talk"};
        std::vector<double> rates;
        for (std::size_t j = 0; j < runs.sources.size(); ++j)
            rates.push_back(0.08 * random.normal());
        Shares low(4, 1), high(4, 0);
        for (int i = 0; i < 20; ++i) {
            AnalysisRun run;
            run.parameters = 1e7, run.tokens = 1e9;
            double sum = 0, log_loss = std::log(3.0) + 0.002 * random.normal();
            for (std::size_t j = 0; j < 4;
                 ++j) {  // exponential numbers over their sum are even on the simplex
                run.shares.push_back(
                    -std::log((1.0 + static_cast<double>(random.below(1 << 20))) / (1 << 20)));
                sum += run.shares.back();
            }
            for (std::size_t j = 0; j < 4; ++j) {
                run.shares[j] /= sum, log_loss += rates[j] * run.shares[j];
                low[j] = std::min(low[j], run.shares[j]), high[j] = std::max(high[j], run.shares[j]);
            }
            run.loss = std::exp(log_loss);
            runs.used.push_back(run);
        }
        const LawFit fit = fit_mixture(runs, replicates(0));
        if (fit.refused) continue;
        double sum = 0;
        for (std::size_t j = 0; j < 4; ++j) {
            const double best = value_of(fit.derived, "best." + runs.sources[j]);
            EXPECT_GE(best, low[j] - 1e-9) << draw;
            EXPECT_LE(best, high[j] + 1e-9) << draw;
            sum += best;
        }
        EXPECT_NEAR(sum, 1, 1e-9) << draw;  // bisected 60 times: to rounding
    }
}

TEST(Mixture, staysWithinTheSharesTried) {
    Random random(1, 2);
    Runs runs = mixtures(0.001, random, exponential_loss);
    std::erase_if(runs.used, [](const AnalysisRun& run) { return run.shares[0] > 0.6; });
    const LawFit fit = fit_mixture(runs, replicates(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.derived, "best.web"), 0.5, 1e-4);
}

TEST(Mixture, leavesMixturesOutWhateverTheOrderOfTheirRuns) {
    Random random(1, 7);
    Runs runs = mixtures(0.003, random, exponential_loss);
    const auto held_out = [](const Runs& some) {
        const LawFit fit = fit_mixture(some, replicates(0));
        EXPECT_FALSE(fit.refused);
        std::vector<double> errors;
        for (const auto& row : fit.tables.front().rows)
            for (const auto& value : row)
                if (const double* number = std::get_if<double>(&value)) errors.push_back(*number);
        return errors;
    };
    const std::vector<double> before = held_out(runs);
    std::reverse(runs.used.begin(), runs.used.end());
    std::rotate(runs.used.begin(), runs.used.begin() + 3, runs.used.end());
    const std::vector<double> after = held_out(runs);
    ASSERT_EQ(before.size(), after.size());
    for (std::size_t i = 0; i < before.size(); ++i) {
        if (std::isnan(before[i])) continue;
        EXPECT_NEAR(after[i] / before[i], 1, 1e-6);
    }
}

TEST(Mixture, leavesSeedsOfAMixtureOutTogether) {
    Random random(1, 8);
    Runs runs = mixtures(0.003, random, exponential_loss);
    std::vector<const AnalysisRun*> twice;
    for (const AnalysisRun& run : runs.used)
        twice.insert(twice.end(), {&run, &run});
    const Mixtures data(runs.sources, twice);
    const std::vector<std::size_t> fold_of = data.folds();
    for (std::size_t i = 0; i < twice.size(); i += 2)
        EXPECT_EQ(fold_of[i], fold_of[i + 1]);
    EXPECT_EQ(data.without(0, fold_of).runs.size(), 2 * (45 - 5));
}

TEST(Mixture, keepsRunsOfNearlyEqualDataTogether) {
    Random random(1, 6);
    Runs runs = mixtures(1e-4, random, exponential_loss);
    for (std::size_t i = 0; i < runs.used.size();
         ++i)  // a thousandth apart, about where a rounding would part
        runs.used[i].tokens = std::pow(1.02, 1081.48) * (i % 2 == 0 ? 1 : 1.001);
    const LawFit fit = fit_mixture(runs, replicates(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_THAT(testing::PrintToString(fit.notes), testing::Not(HasSubstr("were set aside")));
}

TEST(Mixture, takesTheSizeWithMostMixturesNotTheOneWithMostRuns) {
    Random random(1, 7);
    Runs runs = mixtures(0, random, exponential_loss);
    for (int seed = 0; seed < 20; ++seed)
        for (std::size_t i = 0; i < 3; ++i) {  // 60 runs of 3 mixtures, beside 45 of 45
            runs.used.push_back(runs.used[i]);
            runs.used.back().parameters = 1e7, runs.used.back().seed = std::to_string(seed);
        }
    const LawFit fit = fit_mixture(runs, replicates(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "c"), 2, 1e-4);
    EXPECT_THAT(testing::PrintToString(fit.notes), HasSubstr("the 45 runs of the one with most mixtures"));
}

TEST(Mixture, refusesSharesThatDoNotAddUp) {
    Random random(1, 3);
    Runs runs = mixtures(0, random, exponential_loss);
    for (AnalysisRun& run : runs.used)
        run.shares[2] = 0;
    const LawFit fit = fit_mixture(runs, replicates(0));
    ASSERT_TRUE(fit.refused);
    EXPECT_EQ(fit.refused->kind, Refusal::missing_columns);
}

TEST(Mixture, refusesFewMixtures) {
    Random random(1, 4);
    Runs runs = mixtures(0, random, exponential_loss);
    runs.used.resize(5);
    const LawFit fit = fit_mixture(runs, replicates(0));
    ASSERT_TRUE(fit.refused);
    EXPECT_EQ(fit.refused->kind, Refusal::too_few_runs);
}

}  // namespace
}  // namespace isogrid::analysis
