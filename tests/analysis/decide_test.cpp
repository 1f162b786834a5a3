#include "analysis/answer/decide.hpp"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/laws/best_size.hpp"
#include "analysis/report/sentences.hpp"
#include "analysis/runs/check_runs.hpp"
#include "synthetic_runs.hpp"

namespace isogrid::analysis {
namespace {

using testing::Contains;
using testing::HasSubstr;

LossSurface known_surface() {
    return {.loss = known_loss, .replicates = {}, .flops_per_parameter_token = 6};
}

// Brent's method knows a minimum's place to the square root of the machine's epsilon, 1.5e-8, times the scale
// of log N, about 20; the objective's flatness costs another digit.
constexpr double place = 1e-5;

/// One batch for every run.
BatchRule batch_of(const Estimate& batch, const std::string& in = "N and D", double held_out = std::nan("")) {
    return {in, [batch](double, double, double) { return batch; }, held_out};
}

TEST(OptimumOn, aSurfaceIsTheJointLawsClosedForm) {
    for (const double flops : {1e15, 1e20, 1e26}) {
        const Optimum found = optimum_on(known_loss, flops, 6);
        const JointLaw::Optimum exact = known_law.optimum(flops, 6);
        EXPECT_NEAR(found.parameters / exact.parameters, 1, place);
        EXPECT_NEAR(found.tokens / exact.tokens, 1, place);
        EXPECT_NEAR(found.loss / exact.loss, 1, 1e-12);
    }
}

TEST(CheapestLife, isTheCheapestTrainingWhenTheModelIsHardlyUsed) {
    const auto life = cheapest_life(known_surface(), 1e21, 1);
    const JointLaw::Optimum exact = known_law.optimum(1e21, 6);
    ASSERT_TRUE(life);
    EXPECT_NEAR(life->parameters.value / exact.parameters, 1,
                1e-3);  // the cost is flat there: to its square root
    EXPECT_NEAR(life->total_flops.value / 1e21, 1, 1e-6);
}

// Lagrange: at the least 6 N D + 2 N T with L(N, D) fixed, the ratio of the cost's derivatives is that of the
// loss's: (6 D + 2 T) / (6 N) = (alpha A N^(-alpha - 1)) / (beta B D^(-beta - 1)).
TEST(CheapestLife, meetsTheLagrangeConditionAndKeepsTheLoss) {
    const double flops = 1e22, tokens_used = 3e12;
    const auto life = cheapest_life(known_surface(), flops, tokens_used);
    ASSERT_TRUE(life);
    const double N = life->parameters.value, D = life->tokens.value;
    EXPECT_NEAR(known_loss(N, D), known_law.optimum(flops, 6).loss, 1e-9);
    const double cost = (6 * D + 2 * tokens_used) / (6 * N);
    const double loss = known_law.alpha * known_law.A * std::pow(N, -known_law.alpha - 1) /
                        (known_law.beta * known_law.B * std::pow(D, -known_law.beta - 1));
    EXPECT_NEAR(cost / loss, 1, 1e-3);
    EXPECT_LT(N, known_law.optimum(flops, 6).parameters);
    EXPECT_LT(life->total_flops.value, life->compute_optimal_total);
    EXPECT_DOUBLE_EQ(life->total_flops.value, 6 * N * D + 2 * N * tokens_used);
}

// Of a sparse model that uses a seventh of its parameters k is 6 / 7: a token costs 2 N / 7, a third of one
// that it is trained on, and the life is that of seven times the tokens of a dense one at a seventh of the
// price.
TEST(CheapestLife, countsTheParametersThatATokenUses) {
    const double flops = 1e22, tokens_used = 3e12, k = 6.0 / 7;
    LossSurface sparse = known_surface();
    sparse.flops_per_parameter_token = k;
    const auto life = cheapest_life(sparse, flops, tokens_used);
    ASSERT_TRUE(life);
    const double N = life->parameters.value, D = life->tokens.value;
    EXPECT_NEAR(life->total_flops.value / (k * N * D + 2 * N / 7 * tokens_used), 1, 1e-12);
    const auto dense = cheapest_life(known_surface(), 7 * flops, tokens_used);
    EXPECT_NEAR(dense->parameters.value / N, 1, 1e-4);  // the cost is flat there
    EXPECT_NEAR(dense->total_flops.value / (7 * life->total_flops.value), 1, 1e-9);
    EXPECT_NEAR(dense->compute_optimal_total / (7 * life->compute_optimal_total), 1, 1e-9);
}

TEST(Decide, takesSizeAndLossFromTheSurfaceAndTheRecipeFromWhoeverKnowsIt) {
    FitOptions options;
    options.bootstrap = 40;
    std::vector<LawFit> fits = {fit_isoflop(isoflop_runs(four_budgets, 7, 3, known_loss), options),
                                fit_joint(isoflop_runs(four_budgets, 7, 3, known_loss), options)};
    LawFit sweeps;
    sweeps.name = "hyperparameters";
    sweeps.learning_rate_at = [](double, double) { return Estimate{1e-3, 1e-4, 8e-4, 1.2e-3}; };
    sweeps.batch_rules = {batch_of({1e6, 1e5, 8e5, 1.2e6})};
    fits.push_back(sweeps);
    const auto decision = decide(fits, 6.4e21, 6.4e19, 1e12, 1);
    ASSERT_TRUE(decision);
    EXPECT_EQ(decision->law, "joint");
    EXPECT_NEAR(decision->decades, 2, 1e-12);
    EXPECT_EQ(decision->learning_rate_law, "hyperparameters");
    EXPECT_DOUBLE_EQ(decision->steps->value, decision->tokens.value / 1e6);
    ASSERT_TRUE(decision->lifetime);
    EXPECT_LT(decision->lifetime->parameters.value, decision->parameters.value);
}

TEST(Decide, countsStepsInTokensWhateverTheBatchIsIn) {
    FitOptions options;
    options.bootstrap = 0;
    LawFit sweeps;
    sweeps.name = "hyperparameters";
    sweeps.batch_rules = {batch_of({512, 50, 400, 600})};
    const std::vector<LawFit> fits = {fit_joint(isoflop_runs(four_budgets, 7, 3, known_loss), options),
                                      sweeps};
    const auto sequences = decide(fits, 6.4e21, 6.4e19, std::nullopt, 2048).value();
    EXPECT_NEAR(sequences.steps->value / (sequences.tokens.value / (512 * 2048)), 1, 1e-12);
    EXPECT_THAT(
        describe(sequences)[1],
        HasSubstr("Batch 512 (400 to 600) of 2048 tokens each (hyperparameters, its law in N and D)"));
    const auto unknown = decide(fits, 6.4e21, 6.4e19, std::nullopt).value();
    EXPECT_FALSE(unknown.steps);
    EXPECT_THAT(describe(unknown)[1], HasSubstr("How many steps that makes is not known"));
}

/// What the batch is said to follow where a sweep knows it in these things, with these errors.
Decision decision_of(const std::vector<std::pair<std::string, double>>& rules) {
    FitOptions options;
    options.bootstrap = 0;
    static const LawFit joint = fit_joint(isoflop_runs(four_budgets, 7, 3, known_loss), options);
    LawFit sweeps;
    sweeps.name = "hyperparameters";
    double batch = 512;
    for (const auto& [in, held_out] : rules)
        sweeps.batch_rules.push_back(batch_of({batch}, in, held_out)), batch /= 8;
    return decide(std::vector{joint, sweeps}, 6.4e21, 6.4e19, std::nullopt).value();
}

TEST(BatchRule, isTheFirstUnlessAnotherErrsLessThanHalfAsMuch) {
    const auto follows = [](double of_size, double of_loss) {
        return decision_of({{"N and D", of_size}, {"L", of_loss}}).batch_follows;
    };
    EXPECT_EQ(follows(0.02, 0.15), "N and D");
    EXPECT_EQ(follows(0.15, 0.1), "N and D");   // less, but it may be chance
    EXPECT_EQ(follows(0.16, 0.08), "N and D");  // exactly half
    EXPECT_EQ(follows(0.16, 0.0799), "L");
    const Decision by_loss = decision_of({{"N and D", 0.15}, {"L", 0.02}});
    EXPECT_EQ(by_loss.batch->value, 64);
    EXPECT_THAT(describe(by_loss)[1], HasSubstr("(hyperparameters, its law in L)"));
}

TEST(BatchRule, thatWasNotTriedIsNeverTakenInPlaceOfAnother) {
    const double untried = std::nan("");
    const auto follows = [](double of_size, double of_loss) {
        return decision_of({{"N and D", of_size}, {"L", of_loss}}).batch_follows;
    };
    EXPECT_EQ(follows(untried, untried), "N and D");
    EXPECT_EQ(follows(0.15, untried), "N and D");
    EXPECT_EQ(follows(untried, 0.02), "N and D");  // of which nobody knows that it errs more
}

TEST(BatchRule, mustBeClearlyBetterThanEachBeforeIt) {
    const auto follows = [](double first, double second, double third) {
        return decision_of({{"N", first}, {"Emin", second}, {"L", third}}).batch_follows;
    };
    EXPECT_EQ(follows(0.4, 0.3, 0.1), "L");      // past one that is no better than the first
    EXPECT_EQ(follows(0.4, 0.19, 0.1), "Emin");  // a little more than half of the second
    EXPECT_EQ(follows(0.4, 0.19, 0.09), "L");
    EXPECT_EQ(decision_of({}).batch_follows, "");
    EXPECT_FALSE(decision_of({}).batch);
}

TEST(CheckRuns, knowsWhatTheBatchIsCountedIn) {
    Runs runs = isoflop_runs(four_budgets, 3, 3, known_loss);
    EXPECT_FALSE(tokens_per_batch_unit(runs));
    for (auto& run : runs.used)
        run.batch = 256, run.steps = std::ceil(run.tokens / (256 * 2048));
    EXPECT_EQ(tokens_per_batch_unit(runs), 2048);
    for (auto& run : runs.used)
        run.batch = 256 * 2048;
    EXPECT_EQ(tokens_per_batch_unit(runs), 1);
    runs.used.front().batch = 256;
    EXPECT_FALSE(tokens_per_batch_unit(runs));
}

/// A joint law with its floor above the lowest loss of its runs.
LawFit law_above_its_runs() {
    FitOptions options;
    options.bootstrap = 0;
    LawFit fit = fit_joint(isoflop_runs(four_budgets, 7, 3, known_loss), options);
    fit.surface->lowest_seen = 0.99 * known_law.E;
    return fit;
}

TEST(Decide, passesOverALawWhoseFloorARunHasGoneBelow) {
    FitOptions options;
    options.bootstrap = 0;
    const Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);
    std::vector<LawFit> fits = {fit_isoflop(runs, options), law_above_its_runs()};
    const auto decision = decide(fits, 6.4e21, 6.4e19, std::nullopt).value();
    EXPECT_EQ(decision.law, "isoflop");
    EXPECT_FALSE(decision.reached_already);
    EXPECT_THAT(describe(decision)[0], HasSubstr("expect a loss of at least "));
    EXPECT_THAT(describe(decision), Contains(HasSubstr("It has no floor: there its loss is a lower limit.")));
    fits.push_back(fit_overtraining(runs, options));  // has a floor, and no run below it
    EXPECT_EQ(decide(fits, 6.4e21, 6.4e19, std::nullopt)->law, "overtraining");
}

TEST(Decide, saysThatNoLessIsExpectedThanIsReachedWhereNothingElseStands) {
    const std::vector<LawFit> fits = {law_above_its_runs()};
    const auto decision = decide(fits, 6.4e21, 6.4e19, std::nullopt).value();
    EXPECT_EQ(decision.law, "joint");
    EXPECT_THAT(describe(decision), Contains(HasSubstr("But a run has come to 1.7820 already")));
}

TEST(Floor, isWhatEndlessSizeAndDataComeTo) {
    FitOptions options;
    options.bootstrap = 0;
    const Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);
    const LawFit joint = fit_joint(runs, options), kaplan = fit_joint_kaplan(runs, options);
    EXPECT_NEAR(joint.surface->floor(), known_law.E, 1e-3);
    EXPECT_EQ(kaplan.surface->floor(), 0);
    EXPECT_FALSE(joint.surface->contradicted());
    EXPECT_DOUBLE_EQ(joint.surface->lowest_seen,
                     std::min_element(runs.used.begin(), runs.used.end(), [](auto& x, auto& y) {
                         return x.loss < y.loss;
                     })->loss);
}

TEST(Decide, saysNothingWhenNoLawStands) {
    LawFit refused;
    refused.name = "joint";
    refused.refused = Reason{Refusal::too_few_runs, "3 runs"};
    EXPECT_FALSE(decide(std::vector{refused}, 1e20, 1e18, std::nullopt));
}

TEST(CheckRuns, findsModelsOfOneSizeThatWereCountedDifferently) {
    Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);
    EXPECT_TRUE(check_runs(runs).empty());
    auto other = runs.used[3];
    other.name = "other";
    other.flops *= 1.2;
    runs.used.push_back(other);
    const auto warnings = check_runs(runs);
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_EQ(warnings[0].kind, Refusal::mixed_conventions);
    EXPECT_THAT(warnings[0].text, HasSubstr("run 3 has C / (N D) = 6, other of the same size 7.2"));
}

TEST(CheckRuns, findsColumnsThatWereSwappedOrCountInMillions) {
    Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss), swapped = runs, millions = runs;
    for (auto& run : swapped.used)
        std::swap(run.parameters, run.tokens);
    for (auto& run : millions.used)
        run.parameters /= 1e6, run.flops /= 1e6;
    EXPECT_TRUE(check_runs(runs).empty());
    ASSERT_EQ(check_runs(swapped).size(), 1u);
    EXPECT_THAT(check_runs(swapped)[0].text, HasSubstr("columns may be swapped"));
    ASSERT_EQ(check_runs(millions).size(), 1u);
    EXPECT_EQ(check_runs(millions)[0].kind, Refusal::mixed_conventions);
}

TEST(CheckRuns, findsFlopsInAnotherUnit) {
    const Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);  // C = 6 N D
    const auto warned = [&](double unit, double active = 1) {
        Runs other = runs;
        for (auto& run : other.used) {
            run.flops /= unit;
            if (active != 1) run.active_parameters = active * run.parameters;
        }
        const auto warnings = check_runs(other);
        return warnings.empty() ? std::string() : to_string(warnings[0]);
    };
    EXPECT_EQ(warned(1e18).find("mixed_conventions: half of the runs have C / (6 N D) below 1e-18 ("), 0u)
        << warned(1e18);
    EXPECT_THAT(warned(1e18), HasSubstr("count FLOPs, parameters and tokens one by one"));
    EXPECT_THAT(warned(1e-3), HasSubstr("C / (6 N D) above 1000"));
    EXPECT_EQ(warned(90) + warned(1. / 90), "");
    EXPECT_EQ(warned(512, 1. / 512), "");  // of a sparse model the active parameters are at work
}

}  // namespace
}  // namespace isogrid::analysis
