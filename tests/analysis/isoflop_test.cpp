// The minima of isoFLOP budgets and the power law through them.
#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/laws/frontier.hpp"
#include "analysis/laws/isoflop_budgets.hpp"
#include "published_data.hpp"
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

/// Losses that are exact parabolas in log N with N* = 0.1 C^0.5.
Runs parabola_runs(const std::vector<double>& budgets) {
    Runs runs = isoflop_runs(budgets, 7, 2, known_loss);
    for (auto& run : runs.used) {
        const double off = std::log(run.parameters / (0.1 * std::sqrt(run.budget)));
        run.loss = 5 * std::pow(run.budget / 1e18, -0.05) + 0.05 * off * off;
    }
    return runs;
}

FitOptions by_parabola() {
    FitOptions options = without_bootstrap();
    options.minimum = MinimumBy::parabola;
    return options;
}

TEST(Isoflop, recoversExactParabolasAndTheirPowerLaw) {
    FitOptions options;
    options.minimum = MinimumBy::parabola;
    const LawFit fit = fit_isoflop(parabola_runs(four_budgets), options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "parameters_exponent"), 0.5, 1e-9);
    EXPECT_NEAR(value_of(fit.parameters, "tokens_exponent"), 0.5, 1e-9);
    EXPECT_NEAR(value_of(fit.derived, "parameters_coefficient"), 0.1, 1e-8);
    EXPECT_NEAR(value_of(fit.derived, "loss_exponent"), -0.05, 1e-9);
    ASSERT_EQ(fit.optima.size(), 4u);
    EXPECT_NEAR(fit.optima[0].parameters / 1e8, 1, 1e-9);
    EXPECT_NEAR(fit.optima[0].tokens / (1e18 / 6 / 1e8), 1, 1e-9);
    EXPECT_NEAR(fit.optima[0].loss, 5, 1e-9);
    EXPECT_LT(estimate_of(fit.parameters, "parameters_exponent").se, 1e-6);  // exact data leave no doubt
}

TEST(Isoflop, leavesOutAnEdgeMinimumAndAHillAndSaysSo) {
    Runs runs = parabola_runs({1e18, 4e18, 1.6e19, 6.4e19, 2.56e20});
    for (auto& run : runs.used) {
        if (run.budget == 1e18) run.loss = 3 + 0.1 * std::log(run.parameters) * std::log(run.parameters);
        if (run.budget == 4e18) {
            const double off = std::log(run.parameters / known_law.optimum(4e18, 6).parameters);
            run.loss = 5 - off * off;
        }
    }
    const LawFit fit = fit_isoflop(runs, by_parabola());
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_EQ(fit.optima.size(), 3u);
    EXPECT_NEAR(value_of(fit.parameters, "parameters_exponent"), 0.5, 1e-9);
    ASSERT_GE(fit.warnings.size(), 2u);
    EXPECT_EQ(fit.warnings[0].kind, Refusal::edge_minimum);
    EXPECT_THAT(fit.warnings[0].text, HasSubstr("add smaller sizes"));
    EXPECT_EQ(fit.warnings[1].kind, Refusal::concave);
    EXPECT_EQ(std::get<std::string>(fit.tables[0].rows[0].back()), "edge_minimum");
    EXPECT_EQ(std::get<std::string>(fit.tables[0].rows[1].back()), "concave");
}

TEST(Isoflop, isRefusedWithFewerThanThreeUsableBudgets) {
    const LawFit fit = fit_isoflop(parabola_runs({1e18, 4e18}), {});
    ASSERT_TRUE(fit.refused);
    EXPECT_EQ(fit.refused->kind, Refusal::too_few_budgets);
    EXPECT_FALSE(fit.predict);
}

TEST(Isoflop, saysHowNearRunsCameToBudgets) {
    Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);
    for (std::size_t i = 0; i < runs.used.size(); ++i)
        runs.used[i].flops = runs.used[i].budget *= 1 + 0.01 * static_cast<double>(i % 7);
    FitOptions options;
    options.bootstrap = 0;
    LawFit fit = fit_isoflop(runs, options);
    ASSERT_TRUE(fit.refused);
    EXPECT_THAT(fit.refused->text,
                HasSubstr("C of the 28 runs lies in 4 groups, the widest 6% wide, and runs "
                          "of a budget lie within 2%"));
    // One budget that is none leaves the others.
    runs = isoflop_runs(four_budgets, 7, 3, known_loss);
    for (std::size_t i = 0; i < 7; ++i)
        runs.used[i].flops = runs.used[i].budget *= 1 + 0.01 * static_cast<double>(i);
    fit = fit_isoflop(runs, options);
    EXPECT_FALSE(fit.refused);
    EXPECT_THAT(fit.notes, testing::Contains(HasSubstr("7 of 28 runs are left out: they share no budget")));
}

TEST(Isoflop, takesTheBestOfRunsThatShareBudgetAndSize) {
    Runs runs = parabola_runs(four_budgets);
    const std::size_t count = runs.used.size();
    for (std::size_t i = 0; i < count; ++i) {
        runs.used.push_back(runs.used[i]);
        runs.used.back().loss += 0.5;  // as an untuned learning rate would
    }
    const LawFit fit = fit_isoflop(runs, by_parabola());
    ASSERT_FALSE(fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "parameters_exponent"), 0.5, 1e-9);
    EXPECT_THAT(fit.notes.front(), HasSubstr("28 others"));
}

TEST(Isoflop, countsABudgetUnderAnotherConventionByWhatItsRunsSpent) {
    Runs runs = parabola_runs(four_budgets);
    for (auto& run : runs.used)
        run.flops *= 1.5;
    const LawFit fit = fit_isoflop(runs, by_parabola());
    ASSERT_FALSE(fit.refused);
    EXPECT_NEAR(fit.optima[0].flops / 1.5e18, 1, 1e-12);
}

TEST(Isoflop, knowsTheErrorOfAVertexFromTheResiduals) {
    // Five sizes h apart about N* with the residuals r (-1, 2, 0, -2, 1), which no parabola can take up: 10
    // r^2 over two degrees of freedom makes sigma = r sqrt(5), and the vertex, slope / (2 c), has the
    // deviation sigma / (2 c sqrt(10 h^2)).
    const double h = 0.3, r = 1e-4, c = 0.05;
    const std::vector<double> pattern = {-1, 2, 0, -2, 1};
    Runs runs;
    for (const double budget : four_budgets)
        for (int k = -2; k <= 2; ++k) {
            auto& run = runs.used.emplace_back();
            run.budget = run.flops = budget;
            run.parameters = 0.1 * std::sqrt(budget) * std::exp(h * k);
            run.tokens = budget / (6 * run.parameters);
            run.loss = 3 + c * h * h * k * k + r * pattern[static_cast<std::size_t>(k + 2)];
        }
    FitOptions options;
    options.bootstrap = 2000;
    options.seed = 2;
    options.minimum = MinimumBy::parabola;
    const LawFit fit = fit_isoflop(runs, options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    const double exact = 100 * r * std::sqrt(5.0) / (2 * c * std::sqrt(10 * h * h));  // percent
    for (const auto& row : fit.tables[0].rows)  // 2000 replicates know a deviation to 1.6%; four times that
        EXPECT_NEAR(std::get<double>(row[3]) / exact, 1, 0.07);
}

TEST(Isoflop, findsTheSameMinimaOnAkimasCurveWhereGridsAreFine) {
    // A cubic through points h apart misses a parabola's log by some h^4 of its fourth derivative: little.
    FitOptions options;
    options.minimum = MinimumBy::akima;
    Runs runs = isoflop_runs(four_budgets, 41, 2, known_loss);
    for (auto& run : runs.used) {
        const double off = std::log(run.parameters / (0.1 * std::sqrt(run.budget)));
        run.loss = 5 * std::pow(run.budget / 1e18, -0.05) + 0.05 * off * off;
    }
    const LawFit fit = fit_isoflop(runs, options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "parameters_exponent"), 0.5, 1e-4);
    EXPECT_NEAR(fit.optima[0].parameters / 1e8, 1, 1e-3);
    EXPECT_NEAR(value_of(fit.derived, "loss_exponent"), -0.05, 1e-6);
}

const Table& table_of(const LawFit& fit, const std::string& key) {
    const auto table = std::find_if(fit.tables.begin(), fit.tables.end(),
                                    [&](const Table& candidate) { return candidate.key == key; });
    if (table == fit.tables.end()) throw std::runtime_error("no table " + key);
    return *table;
}

TEST(Isoflop, showsBothWaysToAMinimum) {
    const LawFit fit = fit_isoflop(isoflop_runs(four_budgets, 7, 3, known_loss), {});
    ASSERT_FALSE(fit.refused);
    const Table& budgets = table_of(fit, "budgets");
    for (const auto& row : budgets.rows) {
        const double akima = std::get<double>(row[7]), parabola = std::get<double>(row[8]);
        EXPECT_NEAR(akima / parabola, 1, 0.1);
        EXPECT_NE(akima, parabola);
    }
    const Table& minima = table_of(fit, "minima");
    ASSERT_EQ(minima.rows.size(), 2u);
    EXPECT_EQ(table_of(fit, "validation").rows.size(), 1u);  // four budgets: three fitted, one tried
}

TEST(Isoflop, takesParabolasWhereTheLossesAreTooNoisyForACurve) {
    Random noise(3, 0);
    const Runs runs = isoflop_runs({1e18, 4e18, 1.6e19, 6.4e19, 2.56e20}, 9, 2, [&](double n, double d) {
        return known_loss(n, d) * (1 + 0.006 * noise.normal());
    });
    const LawFit fit = fit_isoflop(runs, {});
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_THAT(fit.notes, testing::Contains(HasSubstr("too noisy for a curve")));
}

TEST(Isoflop, warnsWhereTheLowestRunIsAtTheEdgeThoughTheCurveTurns) {
    Runs runs = parabola_runs(four_budgets);
    for (auto& run : runs.used)
        if (run.budget == 1e18) {
            // The minimum at a quarter of the way from the smallest size to the next.
            const double off = std::log(run.parameters / runs.used[0].parameters) - 0.25 * 2 / 6;
            run.loss = 5 + 0.05 * off * off;
        }
    FitOptions options = without_bootstrap();
    options.minimum = MinimumBy::akima;
    const LawFit fit = fit_isoflop(runs, options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_EQ(fit.optima.size(), 4u);
    EXPECT_THAT(fit.warnings.at(0).text, HasSubstr("lowest loss is that of the smallest size"));
}

TEST(Isoflop, averagesRunsThatDifferByTheirSeedAlone) {
    Runs runs = parabola_runs(four_budgets);
    const std::size_t count = runs.used.size();
    for (std::size_t i = 0; i < count; ++i) {
        auto& first = runs.used[i];
        first.seed = "1";
        auto second = first;
        second.seed = "2";
        first.loss += 0.01, second.loss -= 0.01;
        runs.used.push_back(second);  // `first` is not used again: it may have moved
    }
    const LawFit fit = fit_isoflop(runs, by_parabola());
    ASSERT_FALSE(fit.refused);
    EXPECT_NEAR(fit.optima[0].loss, 5, 1e-9);  // the mean, not the luckier seed
    EXPECT_THAT(fit.notes, testing::Contains(HasSubstr("as repeats say (28 degrees of freedom)")));
    for (auto& run : runs.used)
        run.seed.clear();
    EXPECT_THAT(
        fit_isoflop(runs, by_parabola()).notes,
        testing::Contains(HasSubstr("28 others were set aside (where they differ by their seed alone, "
                                    "name seed=")));
}

TEST(SeedNoise, growsWithTheLossAsRepeatsSay) {
    Random random(5, 0);
    std::vector<Repeats> repeats;
    for (int k = 0; k < 60; ++k) {
        const double mean = 2 + 0.05 * k, sigma = 1e-3 * std::pow(mean, 3);
        double squares = 0;
        for (int i = 0; i < 4; ++i)
            squares += std::pow(sigma * random.normal(), 2);
        repeats.push_back({mean, squares / 4, 4});
    }
    const SeedNoise noise = fit_seed_noise(repeats);
    ASSERT_TRUE(noise.grows);
    // 240 degrees of freedom over a spread of log L with deviation .27 know the slope to 1 / sqrt(2 * 240) /
    // .27 = .17, and sigma in the middle to 5%.
    EXPECT_NEAR(noise.slope, 3, 3 * 0.17);
    EXPECT_NEAR(noise.at(3.5) / (1e-3 * 3.5 * 3.5 * 3.5), 1, 0.15);
}

TEST(SeedNoise, isProportionalToTheLossWhereRepeatsAreFew) {
    const SeedNoise noise = fit_seed_noise({{2, 4e-4, 1}, {4, 16e-4, 1}});
    EXPECT_FALSE(noise.grows);
    EXPECT_NEAR(noise.at(2), 0.02, 1e-12);
    EXPECT_NEAR(noise.at(4), 0.04, 1e-12);
}

/// How many of `draws` noisy studies have the truth inside the interval of the exponents of N* and of D*, and
/// of N* a hundredfold beyond. Each budget's grid misses its optimum a little, as real ones do.
void expect_recovery(std::size_t budgets, std::size_t sizes, int repeats, MinimumBy by, double noise = 1e-3) {
    const double truth = known_law.beta / (known_law.alpha + known_law.beta);
    const auto draws = recovery_draws();
    std::size_t size = 0, data = 0, ahead = 0;
    for (const std::size_t draw : draws) {
        Random random(7, draw);
        Runs runs;
        double largest = 0;
        for (std::size_t b = 0; b < budgets; ++b) {
            const double budget = largest = 1e18 * std::pow(3, b);
            const double center = std::log(known_law.optimum(budget, 6).parameters) + 0.25 * random.normal();
            for (std::size_t i = 0; i < sizes; ++i)
                for (int seed = 0; seed < repeats; ++seed) {
                    Run& run = runs.used.emplace_back();
                    const double share = static_cast<double>(i) / static_cast<double>(sizes - 1) - 0.5;
                    run.parameters = std::exp(center + 3 * share);
                    run.flops = run.budget = budget;
                    run.tokens = budget / (6 * run.parameters);
                    if (repeats > 1) run.seed = std::to_string(seed);
                    run.loss = known_loss(run.parameters, run.tokens) * (1 + noise * random.normal());
                }
        }
        FitOptions options = recovery_options({}, draw);
        options.bootstrap = 200;
        options.minimum = by;
        const LawFit fit = fit_isoflop(runs, options);
        if (fit.refused) continue;
        const auto holds = [](const Estimate& e, double value) { return e.low <= value && value <= e.high; };
        size += holds(estimate_of(fit.parameters, "parameters_exponent"), truth);
        data += holds(estimate_of(fit.parameters, "tokens_exponent"), 1 - truth);
        ahead += holds(fit.predict(100 * largest).parameters, known_law.optimum(100 * largest, 6).parameters);
    }
    const std::string which = std::to_string(budgets) + " budgets, " + std::string(name(by));
    expect_coverage(size, draws.size(), which + ": exponent of N*");
    expect_coverage(data, draws.size(), which + ": exponent of D*");
    expect_coverage(ahead, draws.size(), which + ": N* ahead");
}

TEST(Isoflop, intervalsCoverTheTruthWithFiveBudgets) {
    expect_recovery(5, 7, 1, MinimumBy::best);
}

TEST(Isoflop, intervalsCoverTheTruthWithEightBudgetsAndParabolas) {
    expect_recovery(8, 9, 1, MinimumBy::parabola);
}

TEST(Isoflop, intervalsCoverTheTruthWithRepeats) {
    expect_recovery(6, 7, 3, MinimumBy::akima);
}

TEST(Isoflop, intervalsCoverTheTruthWithTenNoisyBudgets) {
    expect_recovery(10, 9, 1, MinimumBy::best, 2e-3);
}

/// Porian et al. 2024 (arXiv 2406.19146): the exponent of N*(C) of ten experiments, and its published
/// interval.
TEST(Published, exponentsOfPorian) {
    const std::filesystem::path file = published_data() / "porian" / "isoflop_points.csv";
    ISOGRID_NEEDS_PUBLISHED(file);
    const auto columns = parse_columns("parameters=n_params,flops=flops,tokens=tokens,loss=loss").value();
    struct Published {
        const char* experiment;
        double exponent, low, high;
    };
    for (const Published& published : {Published{"reproducing_kaplan", .8353, .8235, .8460},
                                       {"last_layer_flops", .7065, .6915, .7169},
                                       {"correct_warmup", .6020, .5914, .6173},
                                       {"cosine_decay", .5715, .5598, .5885},
                                       {"optimizer_tuning", .4969, .4907, .5045},
                                       {"att_last_layer_flops", .7171, .7029, .7273},
                                       {"att_correct_warmup", .6223, .6072, .6320},
                                       {"att_cosine_decay", .5772, .5620, .5925},
                                       {"att_optimizer_tuning", .5053, .4962, .5123},
                                       {"kaplan_tuned_hparams", .7115, .7026, .7214}}) {
        const CsvRequest request{file, columns, {{"experiment", published.experiment}, {"dataset", "rw"}}, 0};
        const LawFit fit = fit_isoflop(read_csv(request).value(), {});
        ASSERT_FALSE(fit.refused) << published.experiment << " " << to_string(*fit.refused);
        const double exponent = value_of(fit.parameters, "parameters_exponent");
        EXPECT_NEAR(exponent, published.exponent, .005) << published.experiment;
        EXPECT_GT(exponent, published.low) << published.experiment;
        EXPECT_LT(exponent, published.high) << published.experiment;
    }
}

TEST(Frontier, intervalsDoNotHangOnTheUnit) {
    Frontier law;
    law.loss = {std::log(1.1), 0.0};
    std::vector<Frontier> replicates;
    for (int r = -50; r <= 50; ++r)
        replicates.emplace_back().loss = {std::log(1.1) + 0.002 * r, 0.0};
    const auto interval = [&](double unit) {
        return spread_of_log(law, replicates, 3,
                             [&](const Frontier& f) { return f.loss.log_coefficient - std::log(unit); });
    };
    const Estimate nats = interval(1), bits = interval(std::log(2)), twos = interval(2);
    EXPECT_LT(nats.low, 0.9);  // three times as wide as the replicates, to both sides
    EXPECT_GT(nats.high, 1.3);
    for (const auto& [other, unit] : {std::pair(bits, std::log(2)), std::pair(twos, 2.0)}) {
        EXPECT_NEAR(other.low * unit, nats.low, 1e-9);
        EXPECT_NEAR(other.high * unit, nats.high, 1e-9);
        EXPECT_NEAR(other.se * unit, nats.se, 1e-9);
    }
}

}  // namespace
}  // namespace isogrid::analysis
