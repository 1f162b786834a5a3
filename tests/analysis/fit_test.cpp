// The optimizers, the bootstrap and the small fits, against closed forms.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "analysis/fit/bootstrap.hpp"
#include "analysis/fit/minimize.hpp"
#include "analysis/fit/parabola.hpp"
#include "analysis/fit/power_law.hpp"

namespace isogrid::analysis {
namespace {

/// y = at[0] + at[1] x.
ResidualModel line_model(const std::vector<double>& x, const std::vector<double>& y) {
    return {2, x.size(), [&x, &y](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                if (!gradient.empty()) gradient[0] = 1, gradient[1] = x[i];
                return at[0] + at[1] * x[i] - y[i];
            }};
}

const std::vector<double> abscissae = {0, 1, 2, 3, 4, 5, 6};
const std::vector<double> with_outlier = {1, 3, 5, 7, 9, 11, 1000};  // 1 + 2 x, the last one far off

TEST(Objective, isParsedAndPrintedTheSameWay) {
    for (const char* text : {"huber:0.001", "huber:0.5", "l1", "l2"})
        EXPECT_EQ(to_string(parse_objective(text).value()), text);
    for (const char* text : {"", "huber:", "huber:-1", "huber:0", "huber:1x", "median"})
        EXPECT_FALSE(parse_objective(text)) << text;
}

TEST(Objective, slopeIsThePenaltysDerivative) {
    for (const char* text : {"huber:0.1", "l1", "l2"}) {
        const Objective objective = parse_objective(text).value();
        for (const double r : {-2.0, -0.05, 0.03, 0.7}) {
            const double step = 1e-6;
            const double difference =
                (objective.penalty(r + step) - objective.penalty(r - step)) / (2 * step);
            EXPECT_NEAR(objective.slope(r), difference, 1e-8) << text << " " << r;
        }
    }
}

TEST(Minimize, findsTheLeastSquaresLine) {
    const std::vector<double> y = {1, 2, 2, 3, 5, 4, 6};
    const Minimum found = minimize(line_model(abscissae, y), {ObjectiveKind::l2, 0}, {}, {0, 0});
    // Normal equations: slope 22 / 28, intercept 23 / 7 - 3 slope.
    EXPECT_TRUE(found.converged);
    EXPECT_TRUE(found.moved);
    EXPECT_NEAR(found.at[1], 22.0 / 28, 1e-7);
    EXPECT_NEAR(found.at[0], 23.0 / 7 - 3 * 22.0 / 28, 1e-7);
}

TEST(Minimize, l1IgnoresAnOutlierExactly) {
    const Minimum found = minimize(line_model(abscissae, with_outlier), {ObjectiveKind::l1, 0}, {}, {0, 0});
    EXPECT_NEAR(found.at[0], 1, 1e-12);  // on the vertex, so to rounding
    EXPECT_NEAR(found.at[1], 2, 1e-12);
    EXPECT_NEAR(found.value, 1000 - 13, 1e-9);
}

TEST(Minimize, weightsCountAsRepeatedObservations) {
    const std::vector<double> x = {0, 1, 2}, y = {0, 1, 4}, xx = {0, 1, 1, 1, 2}, yy = {0, 1, 1, 1, 4};
    const std::vector<double> weights = {1, 3, 1};
    const Minimum weighted = minimize(line_model(x, y), {ObjectiveKind::l2, 0}, weights, {0, 0});
    const Minimum repeated = minimize(line_model(xx, yy), {ObjectiveKind::l2, 0}, {}, {0, 0});
    EXPECT_NEAR(weighted.value, repeated.value, 1e-10);
    EXPECT_NEAR(weighted.at[0], repeated.at[0], 1e-6);
}

TEST(Minimize, manyStartsEscapeALocalMinimum) {
    // (t^2 - 1)^2 + 0.3 t squared as one residual: the minimum near -1 is the deeper one.
    const ResidualModel model{1, 1, [](std::span<const double> at, std::size_t, std::span<double> gradient) {
                                  const double t = at[0], value = (t * t - 1) * (t * t - 1) + 0.3 * t + 1;
                                  if (!gradient.empty()) gradient[0] = 4 * t * (t * t - 1) + 0.3;
                                  return value;
                              }};
    const Objective l2{ObjectiveKind::l2, 0};
    EXPECT_GT(minimize(model, l2, {}, {1.2}).at[0], 0);
    EXPECT_LT(minimize_from_many(model, l2, {}, {{1.2}, {-1.5}, {0.9}}, 3).front().at[0], 0);
}

TEST(Minimize, saysThatItDidNotMoveFromAMinimum) {
    const std::vector<double> y = {0, 1, 2, 3, 4, 5, 7};
    const ResidualModel model = line_model(abscissae, y);
    const Minimum first = minimize(model, {ObjectiveKind::l2, 0}, {}, {0, 0});
    const Minimum again = minimize(model, {ObjectiveKind::l2, 0}, {}, first.at);
    EXPECT_LE(again.value, first.value);
    EXPECT_NEAR(again.at[1], first.at[1], 1e-9);
}

TEST(ConditionNumber, isOneForOrthogonalAndInfiniteForMissingColumns) {
    const std::vector<double> x = {-1, 1}, y = {0, 0};
    EXPECT_NEAR(condition_number(line_model(x, y), std::vector<double>{0, 0}), 1, 1e-12);
    const std::vector<double> zero = {0, 0};
    EXPECT_TRUE(std::isinf(condition_number(line_model(zero, y), std::vector<double>{0, 0})));
}

TEST(Bootstrap, estimatesTheErrorOfAMean) {
    std::vector<double> values;
    for (int i = 0; i < 50; ++i)
        values.push_back(i);
    const auto replicates = bootstrap(4000, 7, [&](Random& random) {
        const std::vector<double> times = resample(values.size(), random);
        double mean = 0;
        for (std::size_t i = 0; i < values.size(); ++i)
            mean += times[i] * values[i] / static_cast<double>(values.size());
        return std::optional(std::vector{mean});
    });
    const Estimate estimate = summarize(24.5, replicates, 0);
    const double exact = std::sqrt((50.0 * 50 - 1) / 12 / 50);           // deviation of a mean of 50 of 0..49
    EXPECT_NEAR(estimate.se, exact, 4 * exact / std::sqrt(2 * 4000.0));  // 4 deviations of a deviation
    EXPECT_LT(estimate.low, 24.5);
    EXPECT_GT(estimate.high, 24.5);
}

TEST(Bootstrap, isTheSameForTheSameSeedAndLeavesFailedReplicatesOut) {
    const Replicate replicate = [](Random& random) -> std::optional<std::vector<double>> {
        const double value = random.normal();
        if (value > 1) return std::nullopt;
        return std::vector{value};
    };
    EXPECT_EQ(bootstrap(200, 3, replicate), bootstrap(200, 3, replicate));
    EXPECT_NE(bootstrap(200, 3, replicate), bootstrap(200, 4, replicate));
    EXPECT_LT(bootstrap(200, 3, replicate).size(), 200u);
}

TEST(Summarize, givesNoErrorFromTooFewReplicates) {
    EXPECT_TRUE(std::isnan(summarize(1, std::vector<double>(19, 1.0)).se));
    EXPECT_FALSE(std::isnan(summarize(1, std::vector<double>(20, 1.0)).se));
}

TEST(Summarize, takesNoIntervalBelowZeroThatNoReplicateGoesBelow) {
    std::vector<double> replicates(40, 1.0);  // a floor, some of whose replicates vanish
    std::fill_n(replicates.begin(), 4, 0.0);
    EXPECT_EQ(summarize(0.9, replicates, 1.2).low, 0);
    replicates.front() = -0.1;  // of either sign by nature
    EXPECT_LT(summarize(0.9, replicates, 1.2).low, 0);
}

TEST(Summarize, holdsTheValueWhereAllReplicatesLieOnOneSide) {
    // A floor that ended at nothing while half of its replicates vanished.
    std::vector<double> vanishing(40, 1e-15);
    std::fill_n(vanishing.begin(), 20, 0.0);
    const Estimate floor = summarize(2.5e-13, vanishing, 1.2);
    EXPECT_EQ(floor.low, 0);
    EXPECT_EQ(floor.high, 2.5e-13);
    for (const double value : {-3.0, 0.5, 3.0})
        for (const double about : {-1.0, 1.0, 2.0}) {
            std::vector<double> replicates;
            for (int k = 0; k < 40; ++k)
                replicates.push_back(about + 0.01 * k);
            const Estimate estimate = summarize(value, replicates, 1.5);
            EXPECT_LE(estimate.low, value) << about;
            EXPECT_GE(estimate.high, value) << about;
            if (value > 0 && about > 0) EXPECT_GE(estimate.low, 0) << about;
        }
}

TEST(Quantile, interpolatesBetweenNeighbours) {
    const std::vector<double> sorted = {1, 2, 4, 8};
    EXPECT_DOUBLE_EQ(quantile(sorted, 0), 1);
    EXPECT_DOUBLE_EQ(quantile(sorted, 0.5), 3);
    EXPECT_DOUBLE_EQ(quantile(sorted, 1), 8);
}

TEST(PowerLaw, recoversItsOwnCoefficients) {
    const std::vector<double> x = {1e15, 1e17, 1e20};
    std::vector<double> y;
    for (const double value : x)
        y.push_back(0.09 * std::pow(value, 0.49));
    const PowerLaw law = fit_power_law(x, y);
    EXPECT_NEAR(law.exponent, 0.49, 1e-14);
    EXPECT_NEAR(law.coefficient(), 0.09, 1e-12);
    EXPECT_NEAR(law.at(1e18) / (0.09 * std::pow(1e18, 0.49)), 1, 1e-12);
}

TEST(Parabola, isRecoveredExactly) {
    const std::vector<double> u = {15, 15.4, 16.1, 16.5, 17.2};
    std::vector<double> loss;
    for (const double value : u)
        loss.push_back(2.5 + 0.07 * (value - 16.2) * (value - 16.2));
    const LocalMinimum found = find_minimum(u, loss);
    ASSERT_FALSE(found.refused);
    EXPECT_NEAR(found.parabola.vertex, 16.2, 1e-10);
    EXPECT_NEAR(found.parabola.minimum, 2.5, 1e-12);
    EXPECT_NEAR(found.parabola.curvature, 0.07, 1e-10);
}

TEST(Parabola, usesOnlyThePointsNearTheMinimum) {
    // A parabola inside a factor of two of the minimum, something else outside.
    const std::vector<double> u = {13, 15.6, 16, 16.4, 19};
    std::vector<double> loss;
    for (const double value : u)
        loss.push_back(2.5 + 0.07 * (value - 16.1) * (value - 16.1));
    loss.front() += 3, loss.back() += 1;
    const LocalMinimum found = find_minimum(u, loss);
    ASSERT_FALSE(found.refused);
    EXPECT_EQ(found.first, 1u);
    EXPECT_EQ(found.last, 3u);
    EXPECT_NEAR(found.parabola.vertex, 16.1, 1e-10);
}

TEST(Parabola, takesTheNextNearestOfASparseGrid) {
    const std::vector<double> u = {13, 15, 16, 16.8, 17.05, 19};
    std::vector<double> loss;
    for (const double value : u)
        loss.push_back((value - 16.1) * (value - 16.1));
    const LocalMinimum narrow = find_minimum(u, loss);
    EXPECT_EQ(narrow.last - narrow.first + 1, 3u);  // the neighbours only: all lie farther than log 2
    const LocalMinimum wide = find_minimum(u, loss, {.points = 5, .sparse_reach = std::log(3.0)});
    EXPECT_EQ(wide.first, 1u);  // 13 and 19 lie farther than log 3
    EXPECT_EQ(wide.last, 4u);
}

TEST(Parabola, refusesEdgesHillsAndTooFewPoints) {
    const std::vector<double> u = {1, 2, 3, 4};
    EXPECT_EQ(find_minimum(u, std::vector<double>{9, 4, 1, 0}).refused, Refusal::edge_minimum);
    EXPECT_EQ(find_minimum(u, std::vector<double>{0, 1, 4, 9}).refused, Refusal::edge_minimum);
    EXPECT_EQ(find_minimum(u, std::vector<double>{1, 3, 3, 0}).refused, Refusal::concave);
    EXPECT_EQ(find_minimum({u.data(), 2}, std::vector<double>{1, 3}).refused, Refusal::too_few_runs);
}

}  // namespace
}  // namespace isogrid::analysis
