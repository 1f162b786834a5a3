// Families made from laws that are known, and what is said of them.
#include <cmath>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/fit/bootstrap.hpp"
#include "analysis/laws/compare_families.hpp"
#include "analysis/laws/exponents.hpp"
#include "analysis/laws/law.hpp"
#include "recovery.hpp"
#include "synthetic_runs.hpp"

namespace isogrid::analysis {
namespace {

using testing::HasSubstr;

struct Family {
    std::string name;
    double A, alpha;
};

/// Twelve budgets over 2.75 decades a family, L = 1.5 + A C^-alpha with relative noise.
Runs families(const std::vector<Family>& all, double noise, std::uint64_t seed) {
    Runs runs;
    Random random(seed, 0);
    for (const Family& family : all)
        for (int k = 0; k < 12; ++k) {
            auto& run = runs.used.emplace_back();
            run.family = family.name;
            run.name = family.name + std::to_string(k);
            run.flops = run.budget = 1e17 * std::pow(10.0, 0.25 * k);
            run.loss =
                (1.5 + family.A * std::pow(run.flops, -family.alpha)) * std::exp(noise * random.normal());
        }
    return runs;
}

FitOptions options(std::size_t replicates) {
    FitOptions some;
    some.objective = {ObjectiveKind::l2, 0};
    some.bootstrap = replicates;
    return some;
}

// (A_old / A_new)^(1 / alpha): what the new family saves.
const double threefold = 40 * std::pow(3.0, -0.1);
const std::vector<Family> like = {{"old", 40, 0.1}, {"new", threefold, 0.1}};
// They meet where 40 C^-.1 = A C^-.13, here at 1e18.
const std::vector<Family> crossing = {{"old", 40, 0.1}, {"new", 40 * std::pow(1e18, 0.03), 0.13}};

TEST(Compare, findsTheFactorOfComputeBetweenFamiliesOfOneSlope) {
    const LawFit fit = fit_compare(families(like, 0, 1), options(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "E"), 1.5, 1e-3);
    EXPECT_NEAR(value_of(fit.parameters, "alpha"), 0.1, 1e-4);
    EXPECT_NEAR(value_of(fit.derived, "compute_multiplier.new"), 3, 1e-3);
}

TEST(Compare, findsWhereFamiliesOfDifferentSlopesCross) {
    const LawFit fit = fit_compare(families(crossing, 1e-4, 1), options(100));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "alpha.old"), 0.1, 5e-3);
    EXPECT_NEAR(value_of(fit.parameters, "alpha.new"), 0.13, 5e-3);
    const Estimate place = estimate_of(fit.derived, "crossing.new");
    EXPECT_NEAR(std::log10(place.value), 18, 0.05);
    EXPECT_LT(place.low, 1e18);
    EXPECT_GT(place.high, 1e18);
    EXPECT_THAT(fit.notes, testing::Contains(HasSubstr("a slope for each family")));
}

TEST(Compare, doesNotSeeACrossingWhereOneSlopeExplainsBoth) {
    const LawFit fit = fit_compare(families(like, 2e-3, 3), options(40));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_THAT(fit.notes, testing::Contains(HasSubstr("are not seen to cross")));
    EXPECT_TRUE(std::isnan(value_of(fit.derived, "crossing.new")));
}

TEST(Compare, leavesOutWhatCheaperRunsOfTheFamilyBeat) {
    Runs runs = families(like, 0, 1);
    auto worse = runs.used[5];
    worse.loss *= 1.2;
    runs.used.push_back(worse);
    const LawFit fit = fit_compare(runs, options(0));
    EXPECT_NEAR(value_of(fit.derived, "compute_multiplier.new"), 3, 1e-3);
    EXPECT_THAT(fit.notes, testing::Contains(HasSubstr("1 runs are left out")));
}

TEST(Compare, saysThatItCannotDrawSeedsAgain) {
    FitOptions seeds = options(40);
    seeds.resampling = Resampling::seeds;
    const LawFit fit = fit_compare(families(like, 1e-4, 1), seeds);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    std::vector<std::string> texts;
    for (const Reason& warning : fit.warnings)
        texts.push_back(warning.text);
    EXPECT_THAT(texts, testing::Contains(HasSubstr("this law cannot draw seeds again")));
}

TEST(Compare, countsTheErrorsScaleInAicc) {
    const LawFit fit = fit_compare(families(like, 1e-5, 1), options(0));
    const auto forms = std::find_if(fit.tables.begin(), fit.tables.end(),
                                    [](const Table& table) { return table.key == "forms"; });
    ASSERT_NE(forms, fit.tables.end());
    const auto& row = forms->rows.front();
    constexpr double n = 24, k = 4 + 1;
    EXPECT_NEAR(std::get<double>(row[3]),
                n * std::log(std::get<double>(row[2]) / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1), 1e-9);
}

TEST(Compare, countsComputeAsTheRunsAreCounted) {
    // Budgets were set in another convention: the new family's runs cost twice what theirs say.
    Runs runs = families(like, 0, 1);
    for (auto& run : runs.used)
        if (run.family == "new") run.budget /= 2;
    const LawFit fit = fit_compare(runs, options(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.derived, "compute_multiplier.new"), 3, 1e-3);
}

TEST(Compare, refusesOneFamilyAndFamiliesOfFewBudgets) {
    const LawFit one = fit_compare(families({like[0]}, 0, 1), options(0));
    ASSERT_TRUE(one.refused);
    EXPECT_THAT(one.refused->text, HasSubstr("one family"));
    Runs few = families(like, 0, 1);
    few.used.resize(12 + 3);
    const LawFit fit = fit_compare(few, options(0));
    ASSERT_TRUE(fit.refused);
    EXPECT_EQ(fit.refused->kind, Refusal::too_few_runs);
    EXPECT_THAT(fit.refused->text, HasSubstr("new has 3 budgets"));
}

TEST(Compare, intervalsCoverTheTruth) {
    const auto draws = recovery_draws(30);
    std::size_t multiplier = 0, alpha = 0;
    const auto holds = [](const Estimate& e, double truth) { return e.low <= truth && truth <= e.high; };
    for (const std::size_t draw : draws) {
        const LawFit fit =
            fit_compare(families(like, 1e-3, 1000 + draw), recovery_options(options(200), draw));
        // Families that look of different slopes by chance (1 in 100) report another multiplier, still at the
        // largest compute.
        multiplier += !fit.refused && holds(estimate_of(fit.derived, "compute_multiplier.new"), 3);
        const Estimate slope = estimate_of(fit.parameters, "alpha");
        alpha += holds(std::isnan(slope.value) ? estimate_of(fit.parameters, "alpha.old") : slope, 0.1);
    }
    expect_coverage(multiplier, draws.size(), "compute multiplier");
    expect_coverage(alpha, draws.size(), "alpha");
}

/// Five budgets over 1.5 decades under recipes whose best sizes go as C^exponent: seven sizes each, from a
/// grid that budgets share, the loss a parabola in log N. `luck` is how far a shape's losses lie off it at
/// all budgets and under all recipes, `noise` how far each loss does besides.
Runs recipes(const std::vector<std::pair<std::string, double>>& exponents, double luck, double noise,
             std::uint64_t seed) {
    Runs runs;
    Random lucky(seed, 0), noisy(seed, 1);
    std::vector<double> of_shape;
    for (int shape = 0; shape < 12; ++shape)
        of_shape.push_back(luck * lucky.normal());
    for (const auto& [family, exponent] : exponents)
        for (int k = 0; k < 5; ++k)
            for (std::size_t shape = 0; shape < of_shape.size(); ++shape) {
                const double decades = 0.375 * k, flops = 1e11 * std::pow(10.0, decades);
                const double log_n = std::log(1e4) + 0.3 * static_cast<double>(shape);
                const double best = std::log(2.5e4) + exponent * std::log(10.0) * decades;
                if (std::abs(log_n - best) > 1.05) continue;
                auto& run = runs.used.emplace_back();
                run.family = family;
                run.name = family + std::to_string(runs.used.size());
                run.flops = run.budget = flops;
                run.parameters = std::exp(log_n);
                run.tokens = flops / (6 * run.parameters);
                run.loss = 2 * std::exp(-0.1 * decades + of_shape[shape] + noise * noisy.normal()) *
                           (1 + 0.05 * std::pow(log_n - best, 2));
            }
    return runs;
}

/// The first row but one of the table `exponents`: the second family against the first.
Estimate against_the_first(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    tell_exponents(runs, options, fit);
    const auto& row = fit.tables.at(0).rows.at(1);
    return {std::get<double>(row[5]), 0, std::get<double>(row[6]), std::get<double>(row[7])};
}

TEST(Exponents, ofFamiliesDifferByWhatTheirMinimaDo) {
    const Estimate difference =
        against_the_first(recipes({{"one", 0.45}, {"other", 0.57}}, 0, 0, 1), options(100));
    EXPECT_NEAR(difference.value, 0.12, 1e-9);
    EXPECT_NEAR(difference.low, 0.12, 1e-9);
    EXPECT_NEAR(difference.high, 0.12, 1e-9);
}

TEST(Exponents, ofFamiliesShareTheLuckOfTheirShapes) {
    LawFit fit;
    tell_exponents(recipes({{"one", 0.5}, {"other", 0.5}}, 3e-3, 0, 2), options(100), fit);
    const auto& row = fit.tables.at(0).rows.at(1);
    EXPECT_GT(std::get<double>(row[3]) - std::get<double>(row[2]),
              0.05);  // luck moves the exponents themselves
    for (const std::size_t column : {5, 6, 7})
        EXPECT_NEAR(std::get<double>(row[column]), 0, 1e-9);
}

// The other recipe's cell at the largest budget is the first's trial: by the study's design in an archive, by
// nothing in a CSV, and not where that recipe's own trial failed.
TEST(Exponents, ofSchedulesCountATrialThatTwoRecipesHaveInCommon) {
    Runs shared = recipes({{"one", 0.5}, {"other", 0.5}}, 3e-3, 1e-3, 3);
    const double budget = shared.used.back().budget, size = shared.used.back().parameters;
    std::erase_if(shared.used, [&](const auto& run) {
        return run.family == "one" && run.budget == budget && run.parameters == size;
    });
    shared.used.back().family = "one", shared.used.back().name = "common";
    Runs apart = shared;
    apart.used.push_back(apart.used.back());
    apart.used.back().family = "other";
    for (auto& run : shared.used)
        run.studies = {"isoflop", "schedules"};
    const double expected = against_the_first(apart, options(0)).value;
    EXPECT_EQ(against_the_first(shared, options(0)).value, expected);
    shared.rejected.push_back({"other-common", "", "diverged"});
    EXPECT_NE(against_the_first(shared, options(0)).value, expected);
}

TEST(LowerEnvelopes, countATrialThatTwoRecipesHaveInCommonForBoth) {
    Runs runs;
    for (const auto& [family, compute, loss] : std::vector<std::tuple<const char*, double, double>>{
             {"one", 1, 3.0}, {"one", 2, 2.5}, {"other", 1, 3.1}}) {
        auto& run = runs.used.emplace_back();
        run.family = family, run.name = family + std::to_string(runs.used.size());
        run.budget = run.flops = compute, run.loss = loss, run.parameters = 10 * compute;
    }
    EXPECT_EQ(lower_envelopes(runs).count(1), 1);
    for (auto& run : runs.used)
        run.studies = {"schedules"};
    const FamilyPoints points = lower_envelopes(runs);
    EXPECT_EQ(points.count(0), 2);
    EXPECT_EQ(points.count(1), 2);
    EXPECT_EQ(points.used.back().loss, 2.5);
}

TEST(LowerEnvelopes, takeRunsThatDifferByTheirSeedForOne) {
    Runs runs;
    for (const auto& [family, seed, loss] : std::vector<std::tuple<const char*, const char*, double>>{
             {"one", "1", 2.9}, {"one", "2", 3.1}, {"one", "3", 3.3}, {"other", "1", 3.0}}) {
        auto& run = runs.used.emplace_back();
        run.family = family, run.seed = seed, run.loss = loss;
        run.budget = run.flops = 1e18, run.parameters = 1e8, run.tokens = 1e18 / 6e8;
    }
    const FamilyPoints points = lower_envelopes(runs);
    ASSERT_EQ(points.used.size(), 2u);
    EXPECT_NEAR(points.used[0].loss, 3.1, 1e-12);
    EXPECT_EQ(points.used[1].loss, 3.0);
}

/// Two families that are alike: six budgets of sizes about the best, the first with so many seeds.
Runs equal_families(int seeds, double noise, std::uint64_t draw,
                    const std::vector<double>& first = {.5, .7, 1, 1.4, 2},
                    const std::vector<double>& second = {.5, .7, 1, 1.4, 2}) {
    Runs runs;
    Random random(71, draw);
    for (const char* family : {"old", "new"}) {
        const bool is_first = family[0] == 'o';
        for (const double flops : {1e17, 3e17, 1e18, 3e18, 1e19, 3e19})
            for (const double share : is_first ? first : second)
                for (int seed = 0; seed < (is_first ? seeds : 1); ++seed) {
                    auto& run = runs.used.emplace_back();
                    run.family = family, run.seed = std::to_string(seed);
                    run.name = family + std::to_string(runs.used.size());
                    run.flops = run.budget = flops;
                    run.parameters = share * known_law.optimum(flops, 6).parameters;
                    run.tokens = flops / (6 * run.parameters);
                    run.loss = known_loss(run.parameters, run.tokens) * std::exp(noise * random.normal());
                }
    }
    return runs;
}

// The lowest of 40 runs is lower than that of 5: without noise the families are one, with it neither may win.
TEST(Compare, intervalsCoverTheTruthWhereOneFamilyHasMoreSeeds) {
    EXPECT_NEAR(value_of(fit_compare(equal_families(8, 0, 0), options(0)).derived, "compute_multiplier.new"),
                1, 1e-6);
    std::size_t covered = 0;
    const auto draws = recovery_draws(30);
    for (const std::size_t draw : draws) {
        const LawFit fit = fit_compare(equal_families(8, 0.006, draw), recovery_options(options(200), draw));
        covered += !fit.refused && covers(estimate_of(fit.derived, "compute_multiplier.new"), 1);
    }
    expect_coverage(covered, draws.size(), "compute multiplier");
}

TEST(Compare, warnsWhereOneFamilyHasAFinerGrid) {
    const auto warned = [](const Runs& runs) {
        const LawFit fit = fit_compare(runs, options(0));
        std::string texts;
        for (const Reason& warning : fit.warnings)
            texts += warning.text;
        return texts;
    };
    EXPECT_THAT(warned(equal_families(8, 0.001, 1)), testing::Not(HasSubstr("sizes a compute")));
    EXPECT_THAT(warned(equal_families(1, 0.001, 1, {.4, .5, .63, .8, 1, 1.25, 1.6, 2, 2.5}, {.35, 1.4, 5.6})),
                HasSubstr("new has 3 sizes a compute, old has 9"));
}

TEST(Exponents, intervalsOfDifferencesCoverTheTruth) {
    std::size_t draws = 0, covered = 0;
    for (const std::size_t draw : recovery_draws(100)) {
        const Runs runs = recipes({{"one", 0.5}, {"other", 0.5}}, 3e-3, 1e-3, 100 + draw);
        covered += covers(against_the_first(runs, recovery_options(options(200), draw)), 0);
        ++draws;
    }
    expect_coverage(covered, draws, "difference of exponents");
}

}  // namespace
}  // namespace isogrid::analysis
