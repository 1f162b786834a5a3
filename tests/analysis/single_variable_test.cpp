// Loss over data, size or compute alone: forms told apart, windows found, truth covered.
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/laws/curve_forms.hpp"
#include "published_data.hpp"
#include "recovery.hpp"
#include "synthetic_runs.hpp"

namespace isogrid::analysis {
namespace {

using testing::Contains;
using testing::HasSubstr;

/// One size trained on `count` amounts of data, a factor of `ratio` apart from 1e7 tokens on.
Runs data_ladder(std::size_t count, double ratio, const std::function<double(double tokens)>& loss) {
    Runs runs;
    runs.source = "ladder";
    for (std::size_t i = 0; i < count; ++i) {
        Run& run = runs.used.emplace_back();
        run.name = "run " + std::to_string(i);
        run.parameters = 1e8;
        run.tokens = 1e7 * std::pow(ratio, i);
        run.flops = run.budget = 6 * run.parameters * run.tokens;
        run.loss = loss(run.tokens);
    }
    return runs;
}

double power_with_floor(double tokens) {
    return 1.8 + 400 * std::pow(tokens, -0.3);
}

FitOptions without_bootstrap() {
    FitOptions options;
    options.bootstrap = 0;
    return options;
}

const Table& table_of(const LawFit& fit, const std::string& key) {
    for (const Table& table : fit.tables)
        if (table.key == key) return table;
    throw std::runtime_error("no table " + key);
}

std::string best_form(const LawFit& fit) {
    for (const auto& row : table_of(fit, "forms").rows)
        if (std::get<std::string>(row.back()) == "best") return std::get<std::string>(row.front());
    return "none";
}

TEST(CurveForms, haveTheGradientsTheySay) {
    for (const CurveForm& form : curve_forms()) {
        std::vector<double> at = {0.4, 0.3, 0.5, -1};
        at.resize(form.parameters.size());
        if (form.name == "logarithmic") at = {3, 0.3};
        std::vector<double> gradient(at.size());
        for (const double z : {-2.0, 0.1, 1.5}) {
            form.log_loss(at, z, gradient);
            for (std::size_t p = 0; p < at.size(); ++p) {
                constexpr double h = 1e-6;
                std::vector<double> up = at, down = at;
                up[p] += h, down[p] -= h;
                const double slope = (form.log_loss(up, z, {}) - form.log_loss(down, z, {})) / (2 * h);
                EXPECT_NEAR(gradient[p], slope, 1e-8) << form.name << " " << p << " at " << z;
            }
            // The reported parameters say the same.
            const std::vector<double> values = form.report(at, 5);
            EXPECT_NEAR(std::log(form.loss(values, std::exp(z + 5))), form.log_loss(at, z, {}), 1e-12);
        }
    }
}

TEST(Data, triesFortyPlacesOfALongCurve) {
    const LawFit fit = fit_data(data_ladder(300, 1.04, power_with_floor), without_bootstrap());
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "alpha"), 0.3, 1e-4);
    EXPECT_LE(table_of(fit, "validation").rows.size(), 40u);
    EXPECT_GE(table_of(fit, "validation").rows.size(), 30u);
}

TEST(Data, recoversTheLawThatMadeTheRuns) {
    const LawFit fit = fit_data(data_ladder(10, 2.5, power_with_floor), without_bootstrap());
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "E"), 1.8, 1e-4);
    EXPECT_NEAR(value_of(fit.parameters, "alpha"), 0.3, 1e-4);
    EXPECT_NEAR(value_of(fit.parameters, "A") / 400, 1, 1e-3);
}

TEST(Data, namesTheFormThatMadeTheRuns) {
    Random noise(1, 0);
    const auto best_of = [&](const std::function<double(double)>& loss) {
        return best_form(
            fit_data(data_ladder(14, 2, [&](double d) { return loss(d) * (1 + 2e-4 * noise.normal()); }),
                     without_bootstrap()));
    };
    EXPECT_EQ(best_of(power_with_floor), "E + A x^-alpha");
    EXPECT_EQ(best_of([](double d) { return 20 * std::pow(d, -0.1); }), "A x^-alpha");
    EXPECT_EQ(best_of([](double d) { return 2 + 3 * std::exp(-d / 3e8); }), "E + A exp(-x / k)");
    EXPECT_EQ(best_of([](double d) { return 1.5 + 5e3 * std::pow(d + 1e8, -0.4); }), "E + A (x + x0)^-alpha");
    EXPECT_EQ(best_of([](double d) { return 9 - 0.25 * std::log(d); }), "a - b log x");
}

TEST(Data, leavesOutAPlateauOfSmallData) {
    Random noise(2, 0);
    const LawFit fit = fit_data(data_ladder(14, 2,
                                            [&](double d) {
                                                const double law = 1.8 + 4000 * std::pow(d, -0.4);
                                                return std::min(law, 4.5) * (1 + 5e-4 * noise.normal());
                                            }),
                                without_bootstrap());
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    // The law reaches 4.5 at 8.4e7 tokens: four amounts (1e7, 2e7, 4e7, 8e7) lie below it.
    EXPECT_THAT(fit.notes, Contains(HasSubstr("the 4 smallest D lie on a plateau")));
    EXPECT_NEAR(value_of(fit.parameters, "alpha"), 0.4, 0.02);
    ASSERT_FALSE(fit.figures.empty());
    EXPECT_THAT(fit.figures[0].series, Contains(testing::Field(&Series::mark, Mark::crosses)));
}

TEST(Data, saysHowFarAStraightLineHolds) {
    const LawFit fit = fit_data(
        data_ladder(12, 2.5,
                    [](double d) { return std::max(20 * std::pow(d, -0.1), 20 * std::pow(6.25e8, -0.1)); }),
        without_bootstrap());
    // The loss is flat from 6.25e8 tokens on: the sixth amount is 9.8e8.
    EXPECT_THAT(fit.notes, Contains(HasSubstr("exponent -0.1, holds from 10M to 391M (5 of 12 runs)")));
}

TEST(Data, callsFlooredOnlyWhatLiesNearTheFloor) {
    // From the fifth run on, at 3.9e8 tokens, less than .02 above the floor of 2.
    const LawFit floored = fit_data(
        data_ladder(12, 2.5, [](double d) { return 2 + 2 * std::pow(d / 1e7, -1.3); }), without_bootstrap());
    EXPECT_THAT(floored.notes, Contains(HasSubstr("; beyond, the floor")));
    // Chinchilla's data term at 1e8 parameters: 3.2 at 1.6e9 tokens, 2.6 at 3e10, a floor of 2.3.
    const LawFit falling =
        fit_data(data_ladder(12, 2.07, [](double d) { return 2.3 + 2085 * std::pow(d, -0.366); }),
                 without_bootstrap());
    ASSERT_NEAR(value_of(falling.parameters, "E"), 2.3, 1e-3);
    EXPECT_THAT(falling.notes, Contains(HasSubstr("; beyond, it bends")));
}

/// Every run of `runs` a second time, as another seed, one above and one below it by this share.
Runs with_second_seeds(const Runs& runs, double share, const std::function<bool(const Run&)>& repeated) {
    Runs both = runs;
    both.used.clear();
    for (Run run : runs.used) {
        const double loss = run.loss;
        run.seed = "1", run.loss = repeated(run) ? (1 + share) * loss : loss;
        both.used.push_back(run);
        if (!repeated(run)) continue;
        run.seed = "2", run.loss = (1 - share) * loss;
        both.used.push_back(run);
    }
    return both;
}

TEST(Data, takesTheMeanOfSeeds) {
    // Repeats of the large half alone: the lower seed of each would pull the floor down by 1%.
    const auto large = [](const auto& run) { return run.tokens > 1e9; };
    const LawFit fit =
        fit_data(with_second_seeds(data_ladder(10, 2.5, power_with_floor), 0.01, large), without_bootstrap());
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "E"), 1.8, 1e-4);
    EXPECT_NEAR(value_of(fit.parameters, "alpha"), 0.3, 1e-4);
    EXPECT_THAT(fit.notes, Contains(HasSubstr("of 14 runs 10 are left")));
}

TEST(Data, takesTheBestOfRunsThatShareASeed) {
    // They differ in something that no column names; the second of each is worse.
    Runs runs = data_ladder(10, 2.5, power_with_floor);
    for (auto& run : runs.used)
        run.seed = "1";
    const Runs once = runs;
    for (auto run : once.used)
        run.loss *= 1.3, runs.used.push_back(run);
    const LawFit fit = fit_data(runs, without_bootstrap());
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "E"), 1.8, 1e-4);
}

TEST(Data, isRefusedWithFewAmountsOrANarrowSpan) {
    const LawFit few = fit_data(data_ladder(5, 4, power_with_floor), {});
    ASSERT_TRUE(few.refused);
    EXPECT_EQ(few.refused->kind, Refusal::too_few_runs);
    const LawFit narrow = fit_data(data_ladder(8, 1.1, power_with_floor), {});
    ASSERT_TRUE(narrow.refused);
    EXPECT_THAT(narrow.refused->text, HasSubstr("decades"));
}

TEST(Size, leavesOutSizesThatLackedData) {
    Runs runs;
    for (int i = 0; i < 9; ++i) {
        auto& run = runs.used.emplace_back();
        run.parameters = 1e6 * std::pow(3, i);
        run.tokens = 1e10;
        run.loss = 2 + 50 * std::pow(run.parameters, -0.3) + (i == 8 ? 0.5 : 0);
        run.other_parameters = {{"as given", run.parameters},
                                {"non_embedding", run.parameters * run.parameters / (run.parameters + 1e6)}};
    }
    const LawFit fit = fit_size(runs, without_bootstrap());
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "alpha"), 0.3, 1e-3);
    EXPECT_THAT(fit.notes, Contains(HasSubstr("8 runs count")));
    // Without embeddings small models look smaller, and the exponent is another one.
    const Table& conventions = table_of(fit, "conventions");
    ASSERT_EQ(conventions.rows.size(), 2u);
    EXPECT_NEAR(std::get<double>(conventions.rows[0][1]), 0.3, 1e-3);
    EXPECT_LT(std::get<double>(conventions.rows[1][1]), 0.28);
}

TEST(Size, isOfTheSizesOfOneAmountOfDataWhereThereAreEnough) {
    // Nine sizes on 20B tokens, and one of them on twice as many.
    Runs runs;
    for (int i = 0; i < 10; ++i) {
        runs.used.emplace_back();
        auto& run = runs.used.back();
        run.parameters = 1e7 * std::pow(2.0, i == 9 ? 4 : i), run.tokens = i == 9 ? 4e10 : 2e10;
        run.loss = 1.8 + 480 * std::pow(run.parameters, -0.35) + 2000 * std::pow(run.tokens, -0.37);
    }
    FitOptions options;
    options.bootstrap = 0;
    const LawFit fit = fit_size(runs, options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "alpha"), 0.35, 1e-3);  // the data term is a part of E
    EXPECT_THAT(fit.notes, testing::Contains(HasSubstr("9 runs count")));
}

TEST(Size, isRefusedWhereDataGrewWithTheSizes) {
    std::vector<double> budgets;
    for (double budget = 1e17; budget < 1e20; budget *= 3)
        budgets.push_back(budget);
    const Runs runs = isoflop_runs(budgets, 7, 2.8, known_loss);
    // Each budget has sizes of its own, so the curve of the best losses runs along the budgets: both terms
    // fall along it, and its limit is no E + A / N^alpha with endless data.
    for (const auto& fit : {fit_size(runs, without_bootstrap()), fit_data(runs, without_bootstrap())}) {
        ASSERT_TRUE(fit.refused) << fit.name;
        EXPECT_EQ(fit.refused->kind, Refusal::not_separable);
        EXPECT_THAT(fit.refused->text, HasSubstr("by the joint law moves their losses"));
    }
}

/// Twelve sizes, each on its own number of tokens.
Runs size_ladder(const std::function<double(double size)>& tokens) {
    Runs runs;
    for (int i = 0; i < 12; ++i) {
        Run& run = runs.used.emplace_back();
        run.parameters = 1e6 * std::pow(2, i);
        run.tokens = tokens(run.parameters);
        run.flops = 6 * run.parameters * run.tokens;
        run.loss = known_loss(run.parameters, run.tokens);
    }
    return runs;
}

TEST(Size, isRefusedWhereNothingTellsDataFromSize) {
    const Runs runs = size_ladder([](double size) { return 20 * size; });
    const LawFit fit = fit_size(runs, without_bootstrap());
    ASSERT_TRUE(fit.refused);
    EXPECT_EQ(fit.refused->kind, Refusal::not_separable);
    EXPECT_THAT(fit.refused->text, HasSubstr("no joint law of these runs"));
    EXPECT_FALSE(fit_compute(runs, without_bootstrap()).refused) << "along such a ladder compute is the law";
}

TEST(Size, standsWhereDataWasInPlentyForAll) {
    // Between 1e13 and 3e13 tokens the data term moves by 2100 (1e13^-.37 - 3e13^-.37) = .011 nats, 1% of the
    // fall over sizes.
    const LawFit fit =
        fit_size(size_ladder([n = 0](double) mutable { return 1e13 * (1 + n++ % 3); }), without_bootstrap());
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "alpha"), known_law.alpha, 0.02);
}

TEST(Compute, takesTheMeanOfSeeds) {
    const auto all = [](const auto&) { return true; };
    Runs runs = data_ladder(12, 2, [](double) { return 0.0; });
    for (auto& run : runs.used)
        run.flops = run.budget = run.tokens, run.loss = power_with_floor(run.flops);
    const LawFit fit = fit_compute(with_second_seeds(runs, 0.02, all), without_bootstrap());
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "E"), 1.8, 1e-4);
}

TEST(Compute, takesTheBestOfEachBudgetUnlessItIsAtTheEdge) {
    std::vector<double> budgets;
    for (int k = 0; k < 8; ++k)
        budgets.push_back(1e18 * std::pow(3, k));
    Runs runs = isoflop_runs(budgets, 9, 2, known_loss);
    for (auto& run : runs.used)  // of the first budget only the small models are left
        if (run.budget == budgets[0] && run.parameters > 0.8 * known_law.optimum(budgets[0], 6).parameters)
            run.budget = run.flops = run.tokens = 0;
    const LawFit fit = fit_compute(runs, without_bootstrap());
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_THAT(fit.notes, Contains(HasSubstr("1 budgets whose smallest or largest")));
    EXPECT_THAT(fit.notes, Contains(HasSubstr("7 runs count")));
    // At the optimum the loss falls towards E as C^-(alpha beta / (alpha + beta)).
    EXPECT_NEAR(value_of(fit.parameters, "E"), known_law.E, 0.02);
    EXPECT_NEAR(value_of(fit.parameters, "alpha"),
                known_law.alpha * known_law.beta / (known_law.alpha + known_law.beta), 0.01);
}

/// What a law of one variable recovers: its function, the runs that a noise makes, and the truth.
struct Recovery {
    LawFit (*fit)(const Runs&, const FitOptions&) = nullptr;
    std::function<Runs(Random&)> runs;
    double floor = 1.8, exponent = 0.3;
    std::function<double(double x)> loss = power_with_floor;
};

void expect_recovery(const Recovery& law, std::uint64_t seed, const std::string& which) {
    const auto draws = recovery_draws();
    std::size_t floor = 0, exponent = 0, ahead = 0;
    for (const std::size_t draw : draws) {
        Random random(seed, draw);
        FitOptions options = recovery_options({}, draw);
        options.bootstrap = 200;
        const LawFit fit = law.fit(law.runs(random), options);
        if (fit.refused) continue;
        floor += covers(estimate_of(fit.parameters, "E"), law.floor);
        exponent += covers(estimate_of(fit.parameters, "alpha"), law.exponent);
        const auto& row = table_of(fit, "ahead").rows[1];  // ten times the largest x
        const double truth = law.loss(std::get<double>(row[0]));
        ahead += std::get<double>(row[2]) <= truth && truth <= std::get<double>(row[3]);
    }
    expect_coverage(floor, draws.size(), which + ": E");
    expect_coverage(exponent, draws.size(), which + ": alpha");
    expect_coverage(ahead, draws.size(), which + ": loss ahead");
}

/// A ladder of `count` values of x, a factor of `ratio` apart, with a noise of .2%. `set` makes a run of x.
std::function<Runs(Random&)> noisy_ladder(std::size_t count, double ratio, void (*set)(Run&)) {
    return [=](Random& random) {
        Runs runs = data_ladder(
            count, ratio, [&](double x) { return power_with_floor(x) * std::exp(2e-3 * random.normal()); });
        for (Run& run : runs.used)
            set(run);
        return runs;
    };
}

TEST(Data, intervalsCoverTheTruthWithEightAmounts) {
    expect_recovery({fit_data, noisy_ladder(8, 3, [](auto&) {})}, 11, "8 amounts");
}

TEST(Data, intervalsCoverTheTruthWithTwentyAmounts) {
    expect_recovery({fit_data, noisy_ladder(20, 1.5, [](auto&) {})}, 11, "20 amounts");
}

TEST(Size, intervalsCoverTheTruth) {
    const auto size = [](auto& run) {
        run.parameters = run.tokens;
        run.tokens = 1e12;
        run.flops = run.budget = 6 * run.parameters * run.tokens;
    };
    expect_recovery({fit_size, noisy_ladder(12, 2, size)}, 12, "12 sizes");
}

TEST(Compute, intervalsCoverTheTruthAlongALadder) {
    const auto compute = [](auto& run) {
        run.flops = run.budget = run.tokens;
        run.parameters = std::sqrt(run.flops / 120), run.tokens = 20 * run.parameters;
    };
    expect_recovery({fit_compute, noisy_ladder(12, 2, compute)}, 13, "12 amounts of compute");
}

TEST(Compute, intervalsCoverTheTruthOverBudgets) {
    std::vector<double> budgets;
    for (double budget = 1e17; budget < 1e21; budget *= 3)
        budgets.push_back(budget);
    const auto runs = [=](Random& random) {
        return isoflop_runs(budgets, 9, 4, [&](double parameters, double tokens) {
            return known_loss(parameters, tokens) * std::exp(1e-3 * random.normal());
        });
    };
    const auto best = [](double flops) { return known_law.optimum(flops, 6).loss; };
    expect_recovery({fit_compute, runs, known_law.E,
                     known_law.alpha * known_law.beta / (known_law.alpha + known_law.beta), best},
                    14, "9 budgets");
}

/// Porian et al. 2024 fit E + A C^-alpha to the lowest losses between 1e16 and 5e17 FLOPs, by least squares
/// of the log loss.
TEST(Published, lossOverComputeOfPorian) {
    const std::filesystem::path file = published_data() / "porian" / "optimal_pairs.csv";
    ISOGRID_NEEDS_PUBLISHED(file);
    const auto columns = parse_columns("flops=flops,loss=loss_star").value();
    struct Published {
        const char* experiment;
        double A, E, alpha;
    };
    for (const Published& published : {Published{"optimizer_tuning", 128.932, 2.00556, .105970},
                                       {"cosine_decay", 562235.9, 3.08184, .335866},
                                       {"att_optimizer_tuning", 109.579, 1.92759, .100347},
                                       {"correct_warmup", 963055, 3.23300, .353259}}) {
        const CsvRequest request{
            file, columns, {{"experiment", published.experiment}, {"dataset", "rw"}}, 0, true};
        auto runs = read_csv(request).value();
        std::erase_if(runs.used, [](const auto& run) { return run.flops < 1e16 || run.flops > 5e17; });
        const LawFit fit = fit_compute(runs, without_bootstrap());
        ASSERT_FALSE(fit.refused) << published.experiment << " " << to_string(*fit.refused);
        EXPECT_NEAR(value_of(fit.parameters, "E") / published.E, 1, 1e-4) << published.experiment;
        EXPECT_NEAR(value_of(fit.parameters, "alpha") / published.alpha, 1, 1e-4) << published.experiment;
        EXPECT_NEAR(value_of(fit.parameters, "A") / published.A, 1, 2e-3) << published.experiment;
    }
}

}  // namespace
}  // namespace isogrid::analysis
