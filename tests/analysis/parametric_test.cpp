// What fit_parametric says of a fit, each on the smallest model that deserves it.
#include "analysis/fit/parametric.hpp"

#include <algorithm>
#include <cmath>

#include <boost/math/distributions/students_t.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/fit/descent.hpp"
#include "analysis/fit/parallel.hpp"
#include "analysis/fit/profile.hpp"

namespace isogrid::analysis {
namespace {

using Vector = std::vector<double>;

FitOptions squares(std::size_t replicates = 0) {
    FitOptions options;
    options.objective = {ObjectiveKind::l2, 0};
    options.bootstrap = replicates;
    return options;
}

/// Parameters reported as the optimizer knows them.
ParametricLaw plain_law(ResidualModel model, std::vector<Vector> starts) {
    ParametricLaw law{.model = std::move(model),
                      .parameters = {},
                      .report = [](std::span<const double> at) { return Vector(at.begin(), at.end()); },
                      .starts = std::move(starts)};
    for (std::size_t p = 0; p < law.model.parameters; ++p)
        law.parameters.push_back({std::string(1, static_cast<char>('a' + p))});
    return law;
}

/// One parameter, one residual.
ParametricLaw scalar_law(std::vector<Vector> starts, const std::function<double(double)>& value,
                         const std::function<double(double)>& slope) {
    return plain_law({1, 1,
                      [=](std::span<const double> at, std::size_t, std::span<double> gradient) {
                          if (!gradient.empty()) gradient[0] = slope(at[0]);
                          return value(at[0]);
                      }},
                     std::move(starts));
}

ParametricLaw mean_law(const Vector& observed) {
    return plain_law({1, observed.size(),
                      [observed](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                          if (!gradient.empty()) gradient[0] = 1;
                          return at[0] - observed[i];
                      }},
                     {{0}, {1}});
}

ParametricLaw line_law(const Vector& x, const Vector& y) {
    return plain_law({2, x.size(),
                      [x, y](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                          if (!gradient.empty()) gradient[0] = 1, gradient[1] = x[i];
                          return at[0] + at[1] * x[i] - y[i];
                      }},
                     {{0, 0}, {1, 1}});
}

std::vector<Refusal> kinds(const ParametricFit& fit) {
    std::vector<Refusal> found;
    for (const Reason& reason : fit.warnings)
        found.push_back(reason.kind);
    return found;
}

const Vector abscissae = {0, 1, 2, 3, 4, 5, 6, 7}, ordinates = {1.1, 2.9, 5.2, 6.8, 9.1, 11.2, 12.7, 15.3};

TEST(Parametric, refusesAnOptimizerThatDidNotMove) {
    const ParametricFit fit =
        fit_parametric(scalar_law(
                           {{0.3}, {0.7}}, [](double) { return 1.0; }, [](double) { return 0.0; }),
                       squares());
    ASSERT_TRUE(fit.refused);
    EXPECT_EQ(fit.refused->kind, Refusal::did_not_move);
}

TEST(Parametric, refusesAnObjectiveWithoutAMinimum) {
    // It falls to the edge of where it can be evaluated, and falls there still.
    const auto value = [](double t) { return t < 1 ? 2 - t : std::nan(""); };
    const ParametricFit fit =
        fit_parametric(scalar_law({{0.3}, {0.7}}, value, [](double) { return -1.0; }), squares());
    ASSERT_TRUE(fit.refused);
    EXPECT_EQ(fit.refused->kind, Refusal::not_converged) << to_string(*fit.refused);
}

TEST(Parametric, namesAnotherOptimumNearlyAsGood) {
    const auto law = scalar_law(
        {{1.2}, {0.8}, {-1.5}, {-0.7}}, [](double t) { return (t * t - 1) * (t * t - 1) + 0.001 * t + 1; },
        [](double t) { return 4 * t * (t * t - 1) + 0.001; });
    const ParametricFit fit = fit_parametric(law, squares());
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_LT(fit.values[0], 0);
    ASSERT_THAT(kinds(fit), testing::ElementsAre(Refusal::several_optima));
    EXPECT_THAT(fit.warnings[0].text, testing::HasSubstr("at a 1 "));
}

TEST(Parametric, certifiesTheOptimumByAStartDrawnApart) {
    const ParametricFit fit = fit_parametric(line_law(abscissae, ordinates), squares());
    EXPECT_THAT(fit.notes, testing::Contains(testing::HasSubstr("certified by an independent start")));
    EXPECT_THAT(kinds(fit), testing::IsEmpty());
}

TEST(Parametric, findsWhatTheGridMissesAndSaysSo) {
    // All starts lie in the basin of the worse minimum; their box reaches into the other.
    const auto law = scalar_law(
        {{0.9}, {1.1}, {-0.1}}, [](double t) { return (t * t - 1) * (t * t - 1) + 0.3 * t + 1; },
        [](double t) { return 4 * t * (t * t - 1) + 0.3; });
    EXPECT_LT(fit_parametric(law, squares()).values[0], 0);
}

TEST(Parametric, warnsOfASingleStart) {
    ParametricLaw law = line_law(abscissae, ordinates);
    law.starts.resize(1);
    law.certify = false;
    EXPECT_THAT(kinds(fit_parametric(law, squares())), testing::ElementsAre(Refusal::few_starts));
}

TEST(Parametric, warnsOfParametersThatGoTogether) {
    Vector nearly = abscissae;
    for (std::size_t i = 0; i < nearly.size(); ++i)
        nearly[i] += 0.01 * static_cast<double>(i % 3);
    ParametricLaw law =
        plain_law({2, nearly.size(),
                   [nearly](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                       if (!gradient.empty()) gradient[0] = abscissae[i], gradient[1] = nearly[i];
                       return at[0] * abscissae[i] + at[1] * nearly[i] - ordinates[i];
                   }},
                  {{0, 0}, {1, 1}});
    law.rivals = {{0, 1}};
    EXPECT_THAT(kinds(fit_parametric(law, squares())), testing::Contains(Refusal::not_separable));
    EXPECT_THAT(kinds(fit_parametric(law, squares(100))), testing::Contains(Refusal::not_separable));
}

TEST(Parametric, warnsOfAParameterOnASoftBoundAndRefusesAHardOne) {
    ParametricLaw law = line_law(abscissae, ordinates);
    law.parameters[1].high = 1;  // the slope is about 2
    EXPECT_EQ(fit_parametric(law, squares()).refused.value().kind, Refusal::on_bound);
    law.parameters[1].soft = true;
    EXPECT_THAT(kinds(fit_parametric(law, squares())), testing::ElementsAre(Refusal::on_bound));
}

TEST(Parametric, saysThatARunWentBelowTheFloor) {
    ParametricLaw law = line_law(abscissae, ordinates);
    law.parameters[0].high = 0.5;  // the intercept is about 1
    law.parameters[0].soft = law.parameters[0].floor = true;
    const ParametricFit fit = fit_parametric(law, squares());
    ASSERT_THAT(kinds(fit), testing::ElementsAre(Refusal::on_bound));
    EXPECT_THAT(fit.warnings[0].text, testing::HasSubstr("not below the lowest loss, 0.5 (a run goes below"));
}

TEST(Parametric, refusesParametersThatCannotBeToldApart) {
    const ParametricLaw law =
        plain_law({2, 3,
                   [](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                       if (!gradient.empty()) gradient[0] = gradient[1] = 1;
                       return at[0] + at[1] - static_cast<double>(i);
                   }},
                  {{0, 0}, {1, 3}});
    EXPECT_EQ(fit_parametric(law, squares()).refused.value().kind, Refusal::ill_conditioned);
}

TEST(Profile, isTheTIntervalOfALine) {
    FitOptions options = squares();
    options.intervals = Intervals::profile;
    const ParametricFit fit = fit_parametric(line_law(abscissae, ordinates), options);
    const double n = 8, mean = 3.5, spread = 42;  // of 0..7
    const double se_slope = std::sqrt(fit.minima[0].value / (n - 2) / spread);
    const double se_level = se_slope * std::sqrt(spread / n + mean * mean);
    const double t = boost::math::quantile(boost::math::students_t(n - 2), 0.975);
    EXPECT_NEAR(fit.parameters[1].estimate.se, se_slope, 1e-6 * se_slope);
    EXPECT_NEAR(fit.parameters[1].estimate.high, fit.values[1] + t * se_slope, 1e-3 * se_slope);
    EXPECT_NEAR(fit.parameters[0].estimate.low, fit.values[0] - t * se_level, 1e-3 * se_level);
}

TEST(Profile, saysThatAnEndIsOpen) {
    // 1 - exp(-k x), seen only where it has come to 1 within its noise: k may be as large as it likes.
    const Vector x = {1, 1, 2, 2, 3, 3}, y = {0.97, 0.99, 1.01, 0.98, 1.02, 1.0};
    ParametricLaw law =
        plain_law({1, x.size(),
                   [=](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                       const double k = std::exp(at[0]), left = std::exp(-k * x[i]);
                       if (!gradient.empty()) gradient[0] = k * x[i] * left;
                       return 1 - left - y[i];
                   }},
                  {{0}, {1}, {2}});
    law.parameters[0].low = 0;
    law.report = [](std::span<const double> at) { return Vector{std::exp(at[0])}; };
    FitOptions options = squares();
    options.intervals = Intervals::profile;
    const ParametricFit fit = fit_parametric(law, options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_TRUE(std::isinf(fit.parameters[0].estimate.high));
    EXPECT_GT(fit.parameters[0].estimate.low, 2);
    EXPECT_THAT(kinds(fit), testing::Contains(Refusal::unbounded));
}

/// Deviation of what 4000 resamples make of a mean.
double spread_of_mean(ParametricLaw law, Resampling resampling, std::vector<std::size_t> repeats = {}) {
    FitOptions options = squares(4000);
    options.resampling = resampling;
    law.repeats = std::move(repeats);
    return fit_parametric(law, options).parameters[0].estimate.se;
}

TEST(Resampling, ofCasesAndOfResidualsGiveTheErrorOfAMean) {
    const Vector observed = {1, 4, 2, 8, 5, 7};
    const double exact = std::sqrt(6.25 / 6);                    // deviation 2.5 about the mean 4.5
    const double tolerance = 4 * exact / std::sqrt(2 * 4000.0);  // of a deviation over 4000 replicates
    EXPECT_NEAR(spread_of_mean(mean_law(observed), Resampling::cases), exact, tolerance);
    EXPECT_NEAR(spread_of_mean(mean_law(observed), Resampling::residuals), exact, tolerance);
}

TEST(Resampling, ofSeedsStaysWithinRepeats) {
    // Sets {1, 3}, {10, 14} and {50, 56}: variances of a draw 1, 4 and 9.
    const Vector observed = {1, 3, 10, 14, 50, 56};
    const double exact = std::sqrt(2 * 1 + 2 * 4 + 2 * 9.0) / 6;
    EXPECT_NEAR(spread_of_mean(mean_law(observed), Resampling::seeds, {0, 0, 1, 1, 2, 2}), exact,
                4 * exact / std::sqrt(2 * 4000.0));
}

TEST(Resampling, ofSeedsMovesRunsWithoutARepeatToo) {
    // To the sets above six runs alone: each moves by one of -1, 1, -2, 2, -3, 3, of variance 14 / 3.
    const Vector observed = {1, 3, 10, 14, 50, 56, 100, 200, 300, 400, 500, 600};
    const double exact = std::sqrt(28 + 6 * 14.0 / 3) / 12;
    EXPECT_NEAR(spread_of_mean(mean_law(observed), Resampling::seeds, {0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8}),
                exact, 4 * exact / std::sqrt(2 * 4000.0));
}

TEST(Resampling, ofSeedsWithHardlyARepeatDrawsRunsAndSaysSo) {
    const Vector observed = {1, 4, 2, 8, 5, 7, 5};
    FitOptions options = squares(1000);
    ParametricLaw law = mean_law(observed);
    law.repeats = {0, 1, 2, 3, 4, 5, 4};
    const double of_cases = fit_parametric(law, options).parameters[0].estimate.se;
    options.resampling = Resampling::seeds;
    const ParametricFit fit = fit_parametric(law, options);
    EXPECT_EQ(fit.parameters[0].estimate.se, of_cases);
    ASSERT_THAT(kinds(fit), testing::Contains(Refusal::too_few_runs));
    EXPECT_THAT(testing::PrintToString(fit.warnings.back().text),
                testing::HasSubstr("1 run repeats another with another seed"));
}

TEST(Resampling, ofSeedsWithoutRepeatsDrawsRunsAndSaysSo) {
    FitOptions options = squares(100);
    options.resampling = Resampling::seeds;
    ParametricLaw law = line_law(abscissae, ordinates);
    law.repeats = {0, 1, 2, 3, 4, 5, 6, 7};
    const ParametricFit fit = fit_parametric(law, options);
    EXPECT_THAT(kinds(fit), testing::ElementsAre(Refusal::too_few_runs));
    EXPECT_GT(fit.parameters[0].estimate.se, 0);
}

TEST(Descent, agreesWithBfgsUnderEveryObjective) {
    Vector y = ordinates;
    y[3] += 20;
    const ParametricLaw law = line_law(abscissae, y);
    for (const char* text : {"huber:0.1", "l1", "l2", "asymmetric:0.2:0.1"}) {
        const Objective objective = parse_objective(text).value();
        const Minimum fast = Descent(law.model, objective, {})(Vector{0, 0});
        const Minimum slow = minimize_by_bfgs(law.model, objective, {}, {0, 0});
        EXPECT_TRUE(fast.converged) << text;
        EXPECT_NEAR(fast.value / slow.value, 1, 1e-8) << text;
        EXPECT_NEAR(objective_value(law.model, objective, {}, fast.at) / fast.value, 1, 1e-12) << text;
    }
}

TEST(Descent, givesTheSameFromResidualsOneByOneAndAllAtOnce) {
    ParametricLaw law = line_law(abscissae, ordinates);
    const Vector weights = {1, 0, 2, 1, 1, 3, 1, 1};
    const Objective huber{ObjectiveKind::huber, 0.05};
    const Minimum one_by_one = Descent(law.model, huber, weights)(Vector{0, 0});
    law.model.all = [single = law.model.residual](std::span<const double> at, std::span<double> residuals,
                                                  std::span<double> gradients) {
        Vector row(2);
        for (std::size_t i = 0; i < residuals.size(); ++i) {
            residuals[i] = single(at, i, row);
            gradients[i] = row[0], gradients[residuals.size() + i] = row[1];
        }
    };
    const Minimum at_once = Descent(law.model, huber, weights)(Vector{0, 0});
    EXPECT_EQ(one_by_one.at, at_once.at);
    EXPECT_EQ(minimize(law.model, huber, weights, {0, 0}).at.size(), 2u);
}

TEST(Objective, asymmetricOneLetsAShareOfRunsLieBelow) {
    Vector observed;
    for (int i = 1; i < 100; ++i)
        observed.push_back(i);
    const Objective tenth = parse_objective("asymmetric:0.1:0.01").value();
    EXPECT_NEAR(minimize(mean_law(observed).model, tenth, {}, {30}).at[0], 10, 0.02);
    EXPECT_EQ((Objective{ObjectiveKind::asymmetric, 0.3, 0.5}.penalty(1.7)),
              (Objective{ObjectiveKind::huber, 0.3}.penalty(1.7)));
}

TEST(ParallelFor, runsEachTaskOnceAndRethrows) {
    std::vector<int> times(1000, 0);
    parallel_for(times.size(), [&]() -> Task {
        return [&](std::size_t k) {
            parallel_for(2, [&]() -> Task { return [&, k](std::size_t half) { times[k] += half ? 2 : 1; }; });
        };
    });
    EXPECT_EQ(times, std::vector<int>(1000, 3));
    EXPECT_THROW(parallel_for(10, [] { return Task([](std::size_t) { throw std::runtime_error("no"); }); }),
                 std::runtime_error);
}

}  // namespace
}  // namespace isogrid::analysis
