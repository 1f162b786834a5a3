// What experts are worth: a known law recovered, refusals.
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
    options.objective = parse_objective("l2").value();  // the noise is normal
    options.bootstrap = count;
    return options;
}

constexpr double a = -0.08, b = -0.11, c = 0.004, d = 2.5;

double log_experts(double experts, bool saturates) {
    constexpr double start = 1.8, most = 300;
    return saturates ? -std::log(1 / (experts - 1 + 1 / (1 / start - 1 / most)) + 1 / most)
                     : std::log(experts);
}

double log_loss(double parameters, double experts, bool saturates) {
    const double n = std::log(parameters), e = log_experts(experts, saturates);
    return a * n + b * e + c * n * e + d;
}

Runs routed(double noise, Random& random, bool saturates, const std::vector<double>& counts) {
    Runs runs;
    runs.source = "synthetic";
    for (const double size : {1.5e7, 2.5e7, 5.5e7, 1.3e8, 3.7e8, 1.3e9})
        for (const double experts : counts) {
            AnalysisRun run;
            run.name = "run " + std::to_string(runs.used.size());
            run.parameters = size, run.tokens = 1.3e11, run.experts = experts;
            run.loss = std::exp(log_loss(size, experts, saturates) + noise * random.normal());
            runs.used.push_back(run);
        }
    return runs;
}

const std::vector<double> many = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};

TEST(Experts, recoversASaturatingLaw) {
    Random random(1, 0);
    const LawFit fit = fit_experts(routed(0, random, true, many), replicates(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "a"), a, 1e-4);
    EXPECT_NEAR(value_of(fit.parameters, "b"), b, 1e-3);
    EXPECT_NEAR(value_of(fit.parameters, "c"), c, 1e-4);
    EXPECT_NEAR(value_of(fit.parameters, "experts_start"), 1.8, 0.02);
    EXPECT_NEAR(value_of(fit.parameters, "experts_max"), 300, 5);
}

TEST(Experts, effectiveParametersAreThoseOfTheDenseModelOfEqualLoss) {
    Random random(1, 1);
    const Runs runs = routed(0, random, false, {1, 4, 16, 64});
    const LawFit fit = fit_experts(runs, replicates(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    const auto table = std::find_if(fit.tables.begin(), fit.tables.end(),
                                    [](const Table& t) { return t.key == "effective_parameters"; });
    ASSERT_NE(table, fit.tables.end());
    for (std::size_t i = 0; i < runs.used.size(); ++i) {
        const double effective = std::get<double>(table->rows[i][5]);
        EXPECT_NEAR(log_loss(effective, 1, false), std::log(runs.used[i].loss), 1e-5);
        if (*runs.used[i].experts > 1) continue;
        EXPECT_NEAR(effective / runs.used[i].parameters, 1, 1e-9);
    }
    EXPECT_NEAR(std::log(value_of(fit.derived, "size_cutoff")), -b / c, 0.1);
    EXPECT_THAT(testing::PrintToString(fit.notes), HasSubstr("E^ = E"));
}

TEST(Experts, haveACutoffOnlyWhereLargerModelsGainLessBeyondDoubt) {
    Random random(1, 9);
    Runs runs = routed(0.002, random, false, {1, 4, 16, 64});
    const LawFit known = fit_experts(runs, replicates(200));
    ASSERT_FALSE(known.refused) << to_string(*known.refused);
    EXPECT_GT(estimate_of(known.parameters, "c").low, 0);
    EXPECT_TRUE(std::isfinite(value_of(known.derived, "size_cutoff")));
    for (AnalysisRun& run : runs.used)  // experts are worth the same in every model
        run.loss *= std::exp(-c * std::log(run.parameters) * std::log(*run.experts));
    const LawFit fit = fit_experts(runs, replicates(200));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_LT(estimate_of(fit.parameters, "c").low, 0);
    EXPECT_TRUE(std::isnan(value_of(fit.derived, "size_cutoff")));
    EXPECT_THAT(testing::PrintToString(fit.notes),
                HasSubstr("size_cutoff, where experts stop helping, is not"));
}

TEST(Experts, intervalsCoverTheTruth) {
    const auto draws = recovery_draws();
    std::size_t size = 0, experts = 0, both = 0;
    for (const std::size_t draw : draws) {
        Random random(31, draw);
        const LawFit fit = fit_experts(routed(0.003, random, false, {1, 4, 16, 64}),
                                       recovery_options(replicates(200), draw));
        ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
        size += covers(estimate_of(fit.parameters, "a"), a);
        experts += covers(estimate_of(fit.parameters, "b"), b);
        both += covers(estimate_of(fit.parameters, "c"), c);
    }
    expect_coverage(size, draws.size(), "a");
    expect_coverage(experts, draws.size(), "b");
    expect_coverage(both, draws.size(), "c");
}

TEST(Experts, saturationsIntervalsCoverTheTruth) {
    const auto draws = recovery_draws(20);
    std::size_t first = 0, worth = 0;
    for (const std::size_t draw : draws) {
        Random random(37, draw);
        const LawFit fit =
            fit_experts(routed(0.002, random, true, many), recovery_options(replicates(100), draw));
        ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
        first += covers(estimate_of(fit.parameters, "experts_max"), 300);
        const auto table = std::find_if(fit.tables.begin(), fit.tables.end(),
                                        [](const Table& t) { return t.key == "effective_parameters"; });
        const auto& row = table->rows[26];  // 5.5e7 parameters, 64 experts
        const double dense = log_experts(1, true), e = log_experts(64, true);
        const double truth = std::exp(((a + c * e) * std::log(5.5e7) + b * (e - dense)) / (a + c * dense));
        worth += std::get<double>(row[6]) < truth && truth < std::get<double>(row[7]);
    }
    expect_coverage(first, draws.size(), "experts_max");
    expect_coverage(worth, draws.size(), "effective parameters");
}

TEST(Experts, refusesOneSize) {
    Random random(1, 2);
    Runs runs = routed(0.002, random, false, many);
    std::erase_if(runs.used, [](const AnalysisRun& run) { return run.parameters != 1.3e8; });
    const LawFit fit = fit_experts(runs, replicates(0));
    ASSERT_TRUE(fit.refused);
    EXPECT_EQ(fit.refused->kind, Refusal::too_few_runs);
}

TEST(Experts, drawSeedsAgainWhereRunsWereRepeated) {
    Random random(1, 5);
    Runs runs = routed(0.002, random, false, {1, 4, 16, 64});
    for (const AnalysisRun& run : routed(0.002, random, false, {1, 4, 16, 64}).used)
        runs.used.push_back(run), runs.used.back().seed = "2";
    FitOptions options = replicates(50);
    options.resampling = Resampling::seeds;
    const LawFit fit = fit_experts(runs, options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    for (const Reason& warning : fit.warnings)
        EXPECT_THAT(warning.text, testing::Not(HasSubstr("by their seed alone")));
}

TEST(Experts, takesRunsOfNearlyEqualDataForEqual) {
    Random random(1, 4);
    Runs runs = routed(0.002, random, false, {1, 4, 16, 64});
    for (AnalysisRun& run : runs.used)  // a thousandth apart, about where a rounding would part them
        run.tokens = std::exp(1280.48 / 50) * (&run == &runs.used.back() ? 1.001 : 1);
    const LawFit fit = fit_experts(runs, replicates(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    for (const Reason& warning : fit.warnings)
        EXPECT_NE(warning.kind, Refusal::mixed_conventions) << warning.text;
}

TEST(Experts, warnsOfRunsOfDifferentData) {
    Random random(1, 3);
    Runs runs = routed(0.002, random, false, {1, 4, 16, 64});
    runs.used.back().tokens *= 2;
    const LawFit fit = fit_experts(runs, replicates(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_EQ(fit.warnings.back().kind, Refusal::mixed_conventions);
}

}  // namespace
}  // namespace isogrid::analysis
