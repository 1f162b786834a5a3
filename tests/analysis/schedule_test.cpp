// Loss under any learning-rate schedule: curves made from a known law, and those that others published.
#include "analysis/laws/schedule.hpp"

#include <cmath>
#include <map>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/fit/validation.hpp"
#include "published_data.hpp"
#include "recovery.hpp"
#include "synthetic_runs.hpp"

namespace isogrid::analysis {
namespace {

const ScheduleLaw truth{2.8, 0.55, 0.5, 400, 1.3, 0.8, 0.55};
constexpr double peak = 3e-4, warmup = 2000;

/// The schedule seen every 200 steps, its losses from the law.
auto curve_of(const std::string& name, const Schedule& coarse, double noise, Random& random) {
    Schedule fine{{coarse.step.front()}, {coarse.learning_rate.front()}};
    for (std::size_t i = 1; i < coarse.step.size(); ++i) {
        const double width = coarse.step[i] - coarse.step[i - 1];
        const int parts = std::max(1, static_cast<int>(width / 200));
        const bool jump = coarse.learning_rate[i] < 0.75 * coarse.learning_rate[i - 1];
        for (int p = 1; p <= parts; ++p) {
            const double share = static_cast<double>(p) / parts;
            fine.step.push_back(coarse.step[i - 1] + share * width);
            const double between =
                coarse.learning_rate[i - 1] + share * (coarse.learning_rate[i] - coarse.learning_rate[i - 1]);
            fine.learning_rate.push_back(jump && p < parts ? coarse.learning_rate[i - 1] : between);
        }
    }
    const std::vector<double> losses = truth.losses(fine);
    auto run = Runs{}.used.emplace_back();
    run.name = name;
    run.digest = std::string(64, 'c');
    for (std::size_t i = 0; i < losses.size(); ++i)
        run.curve.push_back({fine.step[i], 0, losses[i] * std::exp(noise * random.normal()), fine.step[i],
                             fine.learning_rate[i]});
    run.loss = run.curve.back().loss;
    run.tokens = run.curve.back().tokens;
    run.learning_rate = peak;
    return run;
}

Runs three_schedules(double noise, std::uint64_t draw) {
    Random random(5, draw);
    Runs runs;
    runs.used.push_back(curve_of("constant", Schedule::constant(peak, warmup, 20000), noise, random));
    runs.used.push_back(curve_of("cosine", Schedule::cosine(peak, warmup, 20000, 0.1), noise, random));
    const Schedule two{{warmup, 8000, 8200, 16000}, {peak, peak, 0.3 * peak, 0.3 * peak}};
    runs.used.push_back(curve_of("two stages", two, noise, random));
    runs.used.push_back(
        curve_of("decay", Schedule::linear_decay(peak, warmup, 20000, 16000, 0.1), noise, random));
    return runs;
}

const Table& table_of(const LawFit& fit, const std::string& key) {
    for (const Table& table : fit.tables)
        if (table.key == key) return table;
    throw std::logic_error("no table " + key);
}

TEST(ScheduleLaw, isTheSumOverSteps) {
    // Step by step, as the law is written, with a warm-up from zero and one fall.
    std::vector<double> rate(6000);
    for (std::size_t t = 0; t < rate.size(); ++t)
        rate[t] = t < warmup ? peak * (static_cast<double>(t) + 0.5) / warmup : t < 4000 ? peak : 0.3 * peak;
    double sum = 0, before = 0, drop = 0;
    std::vector<double> sums(rate.size());
    for (std::size_t t = 0; t < rate.size(); ++t)
        sums[t] = sum += rate[t];
    for (std::size_t k = 0; k < rate.size(); ++k) {
        const double since = sum - (k > 0 ? sums[k - 1] : 0);
        const double x = truth.C * std::pow(rate[k], -truth.gamma) * since;
        drop += (before - rate[k]) * (1 - std::pow(1 + x, -truth.beta));
        before = rate[k];
    }
    const double expected = truth.L0 + truth.A * std::pow(sum, -truth.alpha) - truth.B * drop;
    const Schedule schedule{{warmup, 3999, 4000, 6000}, {peak, peak, 0.3 * peak, 0.3 * peak}};
    EXPECT_NEAR(truth.final_loss(schedule), expected, 2e-4);
}

TEST(ScheduleLaw, decayPaysOffOverAConstantRate) {
    const double constant = truth.final_loss(Schedule::constant(peak, warmup, 20000));
    const double cosine = truth.final_loss(Schedule::cosine(peak, warmup, 20000, 0.1));
    EXPECT_LT(cosine, constant - 0.02);
}

TEST(Schedule, predictsCurvesThatWereHeldOut) {
    FitOptions options;
    options.bootstrap = 0;
    options.hold_out = {"decay"};
    const LawFit fit = fit_schedule(three_schedules(1e-4, 0), options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_GT(value_of(fit.derived, "held_out_R2"), 0.9995);
    EXPECT_NEAR(value_of(fit.parameters, "L0"), truth.L0, 0.02);
    EXPECT_NEAR(value_of(fit.parameters, "alpha"), truth.alpha, 0.03);
    EXPECT_EQ(table_of(fit, "curves").rows.size(), 4u);
    EXPECT_EQ(fit.figures.size(), 2u);
}

TEST(Schedule, saysWhichCurvesAskedForAreNotPredicted) {
    Runs runs = three_schedules(1e-4, 0);
    Random random(5, 9);
    auto larger = curve_of("larger", Schedule::constant(peak, warmup, 20000), 1e-4, random);
    auto brief = curve_of("brief", Schedule::constant(peak, warmup, 20000), 1e-4, random);
    larger.parameters = 2e6, brief.parameters = 1e6;
    brief.curve.resize(4);
    for (auto& run : runs.used)
        run.parameters = 1e6;
    runs.used.push_back(larger), runs.used.push_back(brief);
    FitOptions options;
    options.bootstrap = 0;
    options.hold_out = {"larger", "brief"};
    const LawFit fit = fit_schedule(runs, options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    std::vector<std::string> warnings;
    for (const Reason& warning : fit.warnings)
        warnings.push_back(warning.text);
    EXPECT_THAT(warnings, testing::Contains("--hold-out larger is not predicted (it is of 2M parameters, and "
                                            "curves of 1M parameters are fitted) hold out one of those"));
    EXPECT_THAT(warnings, testing::Contains(
                              "--hold-out brief is not predicted (it has fewer than 5 points from its first "
                              "learning rate above 0 on) hold out another curve"));
    EXPECT_THAT(testing::PrintToString(fit.notes),
                testing::Not(testing::HasSubstr("every curve was fitted")));
    EXPECT_EQ(table_of(fit, "curves").rows.size(), 4u);
}

TEST(Schedule, beginsACurveAtItsFirstRateAboveZero) {
    const Runs runs = three_schedules(1e-4, 0);
    Runs logged = runs;  // from the first step of the warm-up on
    for (auto& run : logged.used)
        run.curve.insert(run.curve.begin(), {0, 0, 11, 0, 0});
    FitOptions options;
    options.bootstrap = 0;
    const LawFit fit = fit_schedule(runs, options), again = fit_schedule(logged, options);
    ASSERT_FALSE(again.refused) << to_string(*again.refused);
    for (const char* name : {"L0", "A", "alpha", "B", "C", "beta", "gamma"})
        EXPECT_EQ(value_of(again.parameters, name), value_of(fit.parameters, name)) << name;
    EXPECT_EQ(again.notes, fit.notes);
}

TEST(Schedule, saysWhichCurvesAreLeftOut) {
    Runs runs = three_schedules(1e-4, 0);
    for (auto& sample : runs.used[0].curve)
        sample.learning_rate = std::nan("");
    FitOptions options;
    options.bootstrap = 0;
    const LawFit fit = fit_schedule(runs, options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_THAT(fit.notes, testing::Contains("the curve constant is left out: it does not tell its steps, "
                                             "learning rates and losses at all points"));
    EXPECT_EQ(table_of(fit, "curves").rows.size(), 3u);
}

TEST(Schedule, predictsTheLaterHalfOfCurvesFromTheirFirst) {
    FitOptions options;
    options.bootstrap = 0;
    const LawFit fit = fit_schedule(three_schedules(1e-4, 0), options);
    const Table& table = table_of(fit, "validation");
    ASSERT_GE(table.rows.size(), 1u);
    EXPECT_DOUBLE_EQ(std::get<double>(table.rows.back()[0]), 10000);  // half of the longest curve
    EXPECT_NEAR(std::get<double>(table.rows.back()[3]), std::log10(2), 1e-9);
    // By half the cosine has fallen to .55 and the stages once: what comes later is more of the same. Ten
    // times the noise, for a fit to 100 points of seven parameters that is asked an octave ahead.
    EXPECT_LT(std::get<double>(table.rows.back()[4]), 3e-3);
}

TEST(Schedule, correctsATruncatedCosine) {
    // A run that was meant for 40000 steps and stopped at 20000, had it been annealed to its end.
    Random random(5, 9);
    Runs runs = three_schedules(1e-4, 1);
    Schedule half = Schedule::cosine(peak, warmup, 40000, 0.1);
    while (half.step.back() > 20000)
        half.step.pop_back(), half.learning_rate.pop_back();
    runs.used.push_back(curve_of("truncated", half, 1e-4, random));
    FitOptions options;
    options.bootstrap = 0;
    const LawFit fit = fit_schedule(runs, options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    const auto& row = table_of(fit, "forecasts").rows.back();
    const double last = std::get<double>(row[1]);
    EXPECT_NEAR(std::get<double>(row[5]), truth.final_loss(Schedule::cosine(peak, warmup, last, 0.1)), 3e-3);
    EXPECT_LT(std::get<double>(row[5]), std::get<double>(row[2]));  // lower than what was measured
}

TEST(Schedule, fitsTheLargestOfEquallyCommonSizesAndNamesLengthsOfManyCurves) {
    Runs runs = three_schedules(0.003, 0);
    for (auto& run : runs.used)
        run.parameters = 1e6;
    for (auto run : three_schedules(0.003, 1).used) {
        run.parameters = 2e6;
        runs.used.push_back(run);
    }
    FitOptions options;
    options.bootstrap = 10;
    LawFit fit = fit_schedule(runs, options);
    EXPECT_THAT(fit.notes, testing::Contains(testing::StartsWith("only the 4 curves of 2M parameters")));
    std::vector<std::string> named;
    for (const Series& series : fit.figures.front().series)
        if (!series.label.empty()) named.push_back(series.label);
    EXPECT_THAT(named, testing::ElementsAre("constant", "cosine", "two stages", "decay"));

    // Twelve curves of two lengths: each length once.
    for (std::uint64_t draw = 2; draw < 4; ++draw)
        for (auto run : three_schedules(0.003, draw).used) {
            run.parameters = 2e6;
            runs.used.push_back(run);
        }
    fit = fit_schedule(runs, options);
    named.clear();
    for (const Series& series : fit.figures.front().series)
        if (!series.label.empty()) named.push_back(series.label);
    EXPECT_THAT(named, testing::ElementsAre("16k", "20k"));
    EXPECT_EQ(fit.figures.front().legend, "steps");
}

TEST(Schedule, refusesCurvesOfOneConstantRate) {
    Runs runs = three_schedules(0, 0);
    runs.used.resize(1);
    FitOptions options;
    const LawFit one = fit_schedule(runs, options);
    ASSERT_TRUE(one.refused);
    EXPECT_EQ(one.refused->kind, Refusal::too_few_runs);
    for (auto& run : runs.used)
        run.curve.clear();
    const LawFit none = fit_schedule(runs, options);
    ASSERT_TRUE(none.refused);
    EXPECT_EQ(none.refused->kind, Refusal::no_curves);
}

/// The schedule from its first step on: programs log their warm-up.
Schedule with_warmup(Schedule schedule) {
    const double top = schedule.learning_rate.front();
    std::vector<double> steps, rates;
    for (double step = 200; step < schedule.step.front(); step += 200)
        steps.push_back(step), rates.push_back(top * step / schedule.step.front());
    schedule.step.insert(schedule.step.begin(), steps.begin(), steps.end());
    schedule.learning_rate.insert(schedule.learning_rate.begin(), rates.begin(), rates.end());
    return schedule;
}

/// A run that was evaluated at every tenth of its points only, as the trials of an archive are; its rates are
/// those of all points, or where it does not say them those of its evaluations.
void evaluate_seldom(analysis::Run& run, bool says_rates) {
    std::vector<CurveSample> curve;
    for (std::size_t i = 0; i < run.curve.size(); ++i) {
        if (says_rates) run.rates.push_back({run.curve[i].step, run.curve[i].learning_rate});
        if (i % 10 == 9 || i + 1 == run.curve.size()) curve.push_back(run.curve[i]);
    }
    run.curve = std::move(curve);
}

Runs evaluated_seldom(bool say_rates) {
    Random random(5, 6);
    Runs runs;
    for (const auto& [name, schedule] :
         {std::pair{"constant", Schedule::constant(peak, warmup, 20000)},
          std::pair{"to a tenth", Schedule::cosine(peak, warmup, 20000, 0.1)},
          std::pair{"to zero", Schedule::cosine(peak, warmup, 20000, 0)},
          std::pair{"last fifth", Schedule::linear_decay(peak, warmup, 20000, 16000, 0)}}) {
        runs.used.push_back(curve_of(name, with_warmup(schedule), 0, random));
        evaluate_seldom(runs.used.back(), say_rates);
    }
    return runs;
}

TEST(Schedule, takesTheRatesBetweenEvaluationsForWhatTheyWere) {
    FitOptions options;
    options.bootstrap = 0;
    const LawFit fit = fit_schedule(evaluated_seldom(true), options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    const auto& rows = table_of(fit, "forecasts").rows;
    ASSERT_EQ(rows.size(), 4u);
    const auto number = [&](std::size_t row, std::size_t column) {
        return std::get<double>(rows[row][column]);
    };
    constexpr std::size_t measured = 2, of_law = 3, constant = 4, cosine = 5, decay = 7;
    for (std::size_t row = 0; row < rows.size(); ++row)
        EXPECT_NEAR(number(row, of_law), number(row, measured), 4e-3) << row;  // ties
    // The forecast of the schedule that a run was trained with is what the law says of the run.
    EXPECT_NEAR(number(0, constant), number(0, of_law), 3e-4);
    EXPECT_NEAR(number(1, cosine), number(1, of_law), 3e-4);
    EXPECT_NEAR(number(3, decay), number(3, of_law), 3e-4);
    const auto value = [&](const char* name) { return value_of(fit.parameters, name); };
    const ScheduleLaw law{value("L0"), value("A"),    value("alpha"), value("B"),
                          value("C"),  value("beta"), value("gamma")};
    EXPECT_NEAR(law.final_loss(Schedule::cosine(peak, warmup, 20000, 0)), number(2, of_law), 3e-4);
}

TEST(Schedule, refusesCurvesWhoseRateIsNotKnownBetweenTheirPoints) {
    Runs runs = evaluated_seldom(false);
    FitOptions options;
    options.bootstrap = 0;
    EXPECT_THAT(fit_schedule(runs, options).notes,
                testing::Contains(testing::AllOf(
                    testing::HasSubstr("2 curves are left out (to a tenth is the first): each changes its "
                                       "learning rate by more than a quarter over 4 of 5 intervals"),
                    testing::HasSubstr("log it more often"))));
    std::erase_if(runs.used, [](const analysis::Run& run) { return run.name != "to zero"; });
    const LawFit fit = fit_schedule(runs, options);
    ASSERT_TRUE(fit.refused);
    EXPECT_EQ(fit.refused->kind, Refusal::no_curves);
    EXPECT_THAT(fit.refused->text,
                testing::HasSubstr("so the schedule there is not known; log it more often"));
}

TEST(Schedule, takesStepsBetweenPlateausForKnown) {
    // Half of the changes are jumps, but what the rate is between them is plain.
    Random random(5, 7);
    Runs runs;
    const std::vector<double> steps = {2000, 4000, 6000, 8000, 10000, 12000, 14000, 16000};
    for (const auto& [name, rates] :
         {std::pair{"constant", std::vector<double>(8, peak)},
          std::pair{"early", std::vector<double>{1, 0.3, 0.3, 0.1, 0.1, 0.03, 0.03, 0.01}},
          std::pair{"late", std::vector<double>{1, 1, 1, 1, 0.3, 0.3, 0.1, 0.1}}}) {
        Schedule schedule{steps, rates};
        for (double& rate : schedule.learning_rate)
            rate *= rate > peak ? peak : 1;
        auto run = curve_of(name, schedule, 1e-4, random);
        std::erase_if(run.curve, [](const CurveSample& s) { return std::fmod(s.step, 2000) != 0; });
        runs.used.push_back(run);
    }
    FitOptions options;
    options.bootstrap = 0;
    const LawFit fit = fit_schedule(runs, options);
    EXPECT_THAT(testing::PrintToString(fit.notes), testing::Not(testing::HasSubstr("left out")));
    EXPECT_FALSE(fit.refused) << to_string(*fit.refused);
}

TEST(Schedule, takesNoWarmupForAFallOfTheRate) {
    Random random(5, 3);
    Runs runs;
    for (const double height : {1.0, 0.7, 0.5})
        runs.used.push_back(curve_of("peak " + std::to_string(height),
                                     with_warmup(Schedule::constant(height * peak, warmup, 20000)), 1e-3,
                                     random));
    const LawFit fit = fit_schedule(runs, {});
    ASSERT_TRUE(fit.refused);
    EXPECT_EQ(fit.refused->kind, Refusal::too_few_runs);
    EXPECT_THAT(fit.refused->text, testing::HasSubstr("0 of the curves with a falling learning rate"));
}

TEST(Schedule, refusesSeedsOfOneSchedule) {
    Random random(5, 4);
    Runs runs;
    for (const char* seed : {"1", "2", "3"}) {
        runs.used.push_back(
            curve_of(seed, with_warmup(Schedule::cosine(peak, warmup, 20000, 0.1)), 1e-3, random));
        if (*seed == '3')  // stopped on its way
            runs.used.back().curve.resize(runs.used.back().curve.size() / 2);
    }
    const LawFit fit = fit_schedule(runs, {});
    ASSERT_TRUE(fit.refused);
    EXPECT_THAT(fit.refused->text, testing::HasSubstr("points and 1 schedules"));
    EXPECT_THAT(fit.refused->text, testing::HasSubstr("add a curve with another schedule"));
}

TEST(Schedule, isKnownFromTwoLengthsOfOneShape) {
    // The shorter cosine has fallen where the longer one has not.
    Random random(5, 5);
    Runs runs;
    runs.used.push_back(curve_of("short", Schedule::cosine(peak, warmup, 10000, 0.1), 1e-4, random));
    runs.used.push_back(curve_of("long", Schedule::cosine(peak, warmup, 20000, 0.1), 1e-4, random));
    runs.used.push_back(
        curve_of("decay", Schedule::linear_decay(peak, warmup, 20000, 16000, 0.1), 1e-4, random));
    FitOptions options;
    options.bootstrap = 0;
    options.hold_out = {"decay"};
    const LawFit fit = fit_schedule(runs, options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_GT(value_of(fit.derived, "held_out_R2"), 0.99);
}

TEST(Schedule, doesNotClaimProfileIntervalsThatItHasNot) {
    FitOptions options;
    options.bootstrap = 0;
    options.objective = parse_objective("l2").value();
    options.intervals = Intervals::profile;
    const std::string notes = testing::PrintToString(fit_schedule(three_schedules(2e-3, 0), options).notes);
    EXPECT_THAT(notes, testing::HasSubstr("--intervals profile has no effect"));
    EXPECT_THAT(notes, testing::Not(testing::HasSubstr("sum of squares' profile")));
}

TEST(Schedule, intervalsCoverTheForecastAndTheParameters) {
    const auto draws = recovery_draws(12);
    const std::vector<std::pair<std::string, double>> known = {
        {"L0", truth.L0}, {"A", truth.A}, {"alpha", truth.alpha}, {"B", truth.B}};
    std::map<std::string, std::size_t> parameters;
    std::size_t cosine = 0, decay = 0;
    for (const std::size_t draw : draws) {
        FitOptions options = recovery_options({}, draw);
        options.bootstrap = draws.size() < 100 ? 80 : 300;
        options.objective = parse_objective("l2").value();
        const LawFit fit = fit_schedule(three_schedules(2e-3, draw), options);
        ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
        const auto& row = table_of(fit, "forecasts").rows.front();
        const auto number = [&](std::size_t c) { return std::get<double>(row[c]); };
        cosine +=
            std::abs(number(5) - truth.final_loss(Schedule::cosine(peak, warmup, 20000, 0.1))) <= number(6);
        decay +=
            std::abs(number(7) - truth.final_loss(Schedule::linear_decay(peak, warmup, 20000, 16000, 0))) <=
            number(8);
        EXPECT_TRUE(std::isnan(estimate_of(fit.parameters, "C").low));  // tied: a spread, but no interval
        for (const auto& [name, value] : known)
            parameters[name] += covers(estimate_of(fit.parameters, name), value);
    }
    for (const auto& [name, value] : known)
        expect_coverage(parameters[name], draws.size(), name);
    expect_coverage(cosine, draws.size(), "cosine");
    expect_coverage(decay, draws.size(), "decay");
}

/// Luo et al. 2025 (arXiv 2503.12811): three curves are fitted, six predicted.
const std::filesystem::path curves = published_data() / "multipowerlaw";
const std::vector<std::string> fitted = {"constant_24000", "cosine_24000", "wsdcon_9"},
                               predicted = {"constant_72000",    "cosine_72000", "wsd_20000_24000",
                                            "wsdld_20000_24000", "wsdcon_3",     "wsdcon_18"};

Runs published_curves(const std::string& folder) {
    std::vector<std::filesystem::path> files;
    for (const auto* list : {&fitted, &predicted})
        for (const std::string& name : *list)
            files.push_back(curves / folder / (name + ".csv"));
    CsvRequest request;
    request.columns = parse_columns("step=step,learning_rate=lr,loss=loss").value();
    return read_csv(files, request).value();
}

TEST(Published, lawOfLearningRatesHasThePublishedTestR2) {
    ISOGRID_NEEDS_PUBLISHED(curves);
    for (const auto& [folder, law, r2] :
         {std::tuple{"csv_25",
                     ScheduleLaw{3.04045406, 0.52468604, 0.50786857, 363.78751622, 2.06560812, 0.58279013,
                                 0.64142257},
                     0.9988},
          std::tuple{
              "csv_100",
              ScheduleLaw{2.6514477, 0.60115152, 0.45295811, 437.9464276, 2.13245612, 0.59785199, 0.65523644},
              0.9983}}) {
        double mean = 0;
        for (const auto& run : published_curves(folder).used) {
            if (std::find(predicted.begin(), predicted.end(), run.name) == predicted.end()) continue;
            std::vector<double> losses;
            for (const CurveSample& sample : run.curve)
                losses.push_back(sample.loss);
            mean += explained(losses, law.losses(Schedule::of(run))) / 6;
        }
        EXPECT_NEAR(mean, r2, 1e-4) << folder;
    }
}

TEST(Published, curvesOfOtherSchedulesArePredicted) {
    ISOGRID_NEEDS_PUBLISHED(curves);
    for (const auto& [folder, r2] : {std::pair{"csv_25", 0.9982}, std::pair{"csv_100", 0.9983}}) {
        FitOptions options;
        options.bootstrap = 0;
        options.hold_out = predicted;
        const LawFit fit = fit_schedule(published_curves(folder), options);
        ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
        EXPECT_GE(value_of(fit.derived, "held_out_R2"), r2) << folder;
        for (const auto& row : table_of(fit, "curves").rows)
            EXPECT_LT(std::get<double>(row[4]), 0.005) << std::get<std::string>(row[0]);  // mean error
    }
}

}  // namespace
}  // namespace isogrid::analysis
