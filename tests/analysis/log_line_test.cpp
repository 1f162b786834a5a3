// Power laws through uncertain points, and the bowls that such points are the bottoms of.
#include "analysis/fit/log_line.hpp"

#include <gtest/gtest.h>

#include "analysis/fit/bowl.hpp"
#include "recovery.hpp"

namespace isogrid::analysis {
namespace {

/// Six points of y = 3 x^.5, each off by its own error and, beyond that, by `scatter`.
LogLine noisy_line(double error, double scatter, std::uint64_t draw, Weighting weighting) {
    Random random(47, draw);
    FitOptions options;
    options.bootstrap = 400;
    std::vector<LinePoint> points;
    for (int i = 0; i < 6; ++i) {
        const double own = error * (1 + i % 3);
        const double x = i;
        points.push_back(
            {{x}, std::log(3) + 0.5 * x + own * random.normal() + scatter * random.normal(), own * own});
    }
    std::vector<std::vector<double>> redrawn;
    for (std::size_t k = 0; k < options.bootstrap; ++k) {
        redrawn.emplace_back();
        for (const LinePoint& point : points)
            redrawn.back().push_back(point.log_y + std::sqrt(point.variance) * random.normal());
    }
    return fit_log_line(points, redrawn, weighting, options);
}

TEST(LogLine, takesTheScatterForTheErrorWhereItIsLarger) {
    EXPECT_TRUE(noisy_line(0.01, 0.3, 0, Weighting::equal).scattered);
    EXPECT_TRUE(noisy_line(0.01, 0.3, 0, Weighting::error).scattered);
}

TEST(LogLine, intervalsCoverTheTruthWithAndWithoutScatter) {
    const auto draws = recovery_draws();
    for (const double scatter : {0.0, 0.5})
        for (const Weighting weighting : {Weighting::equal, Weighting::error}) {
            std::size_t slope = 0;
            for (const std::size_t draw : draws) {
                const Estimate found = noisy_line(0.05, scatter, draw, weighting).coefficient(1);
                slope += found.low < 0.5 && 0.5 < found.high;
            }
            expect_coverage(slope, draws.size(), "slope at scatter " + std::to_string(scatter));
        }
}

// Five sizes of three targets each, which whatever moves a size moves alike: they say what the five would
// say.
TEST(LogLine, countsPointsThatMoveTogetherOnce) {
    FitOptions options;
    options.bootstrap = 400;
    for (const double own : {0.0, 0.01}) {  // errors not known, or far smaller than the scatter
        Random random(48, 0);
        std::vector<LinePoint> alone, together;
        for (int size = 0; size < 5; ++size) {
            const double x = size, log_y = std::log(3) + 0.5 * x + 0.2 * random.normal();
            alone.push_back({{x}, log_y, own * own});
            for (int target = 0; target < 3; ++target)
                together.push_back({{x}, log_y, own * own, x});
        }
        const std::vector<std::vector<double>> redrawn(400, std::vector<double>(15, 0.0));
        const LogLine five = fit_log_line(alone, redrawn, Weighting::equal, options);
        const LogLine fifteen = fit_log_line(together, redrawn, Weighting::equal, options);
        ASSERT_TRUE(five.scattered && fifteen.scattered);
        EXPECT_FALSE(fifteen.few_groups);
        EXPECT_NEAR(fifteen.deviation, five.deviation, 1e-9);
        EXPECT_NEAR(fifteen.coefficient(1).low, five.coefficient(1).low, 1e-9);
        EXPECT_NEAR(fifteen.coefficient(1).high, five.coefficient(1).high, 1e-9);
    }
}

TEST(LogLine, saysWhereGroupsAreTooFewToTellHowFarTheyMove) {
    std::vector<LinePoint> points;
    for (int i = 0; i < 6; ++i)
        points.push_back({{static_cast<double>(i)}, 0.5 * i + 0.1 * (i % 2), 0, i < 3 ? 1.0 : 2.0});
    EXPECT_TRUE(fit_log_line(points, {}, Weighting::equal, {}).few_groups);
}

TEST(LogLine, hasNoCoefficientsWhereThePointsDoNotDetermineThem) {
    const std::vector<LinePoint> points = {{{1.0}, 2, 0}, {{1.0}, 3, 0}, {{1.0}, 4, 0}};
    EXPECT_TRUE(fit_log_line(points, {}, Weighting::equal, {}).coefficients.empty());
}

double bowl_loss(double x, double y) {
    return 1 + 0.02 * (x - 0.3) * (x - 0.3) + 0.01 * (x - 0.3) * (y + 0.2) + 0.03 * (y + 0.2) * (y + 0.2);
}

struct Grid {
    std::vector<std::vector<double>> places;
    std::vector<double> log_loss;
};

Grid grid_of(double (*loss)(double, double)) {
    Grid grid;
    for (double x = -2; x <= 2; x += 0.7)
        for (double y = -2; y <= 2; y += 0.7) {
            grid.places.push_back({x, y});
            grid.log_loss.push_back(loss(x, y));
        }
    return grid;
}

TEST(Bowl, findsTheBottomOverTwoKnobs) {
    const Grid grid = grid_of(bowl_loss);
    const Bowl bowl = fit_bowl(grid.places, grid.log_loss);
    ASSERT_FALSE(bowl.refused);
    EXPECT_NEAR(bowl.vertex[0], 0.3, 1e-9);
    EXPECT_NEAR(bowl.vertex[1], -0.2, 1e-9);
    EXPECT_NEAR(bowl.minimum, 1, 1e-12);
    // Of one knob at 1 the other is best where d/dy = 0: .01 (x - .3) + .06 (y + .2) = 0.
    EXPECT_NEAR(bowl.profile(0, 1), bowl_loss(1, -0.2 - 0.7 / 6), 1e-9);
    EXPECT_NEAR(bowl.profile(1, 1), bowl_loss(0.3 - 1.2 / 4, 1), 1e-9);
}

TEST(Bowl, refusesASaddleAndALowestPointAtTheEdge) {
    const Grid saddle = grid_of([](double x, double y) { return 1 + 0.02 * x * x - 0.01 * y * y; });
    EXPECT_EQ(fit_bowl(saddle.places, saddle.log_loss).refused, Refusal::edge_minimum);
    const Grid slope = grid_of([](double x, double y) { return 1 + 0.02 * x + 0.01 * y * y; });
    EXPECT_EQ(fit_bowl(slope.places, slope.log_loss).refused, Refusal::edge_minimum);
    const std::vector<std::vector<double>> three = {{0.0}, {0.5}, {1.0}};
    EXPECT_FALSE(fit_bowl(three, std::vector{1.1, 1.0, 1.05}).refused);
    EXPECT_EQ(fit_bowl(three, std::vector{1.1, 1.05, 1.0}).refused, Refusal::edge_minimum);
}

TEST(Bowl, widensToAFactorOfTwelveAtMost) {
    const auto points_at = [](double factor) {  // two of five points this far from the lowest
        std::vector<std::vector<double>> places;
        std::vector<double> log_loss;
        for (const double at : {-std::log(factor), -std::log(2.0), 0.0, std::log(2.0), std::log(factor)})
            places.push_back({at}), log_loss.push_back(1 + 0.01 * at * at);
        return fit_bowl(places, log_loss).fitted.size();
    };
    EXPECT_EQ(points_at(9), 5);
    EXPECT_EQ(points_at(10), 5);
    EXPECT_EQ(points_at(12), 5);
    EXPECT_EQ(points_at(13), 3);
}

TEST(Bowl, takesAllOfAGridOfHalfDecadesOrOfDecades) {
    const auto bowl_of = [](const std::vector<double>& knobs) {  // the first point lies off the quadratic
        std::vector<std::vector<double>> places;
        std::vector<double> log_loss;
        for (const double knob : knobs) {
            const double x = std::log(knob / 1e-3);
            places.push_back({std::log(knob)}), log_loss.push_back(1 + 0.01 * x * x);
        }
        log_loss.front() += 0.001;
        return fit_bowl(places, log_loss);
    };
    const Bowl halves = bowl_of({1e-4, 3e-4, 1e-3, 3e-3, 1e-2});  // as people write them
    ASSERT_FALSE(halves.refused);
    EXPECT_EQ(halves.fitted.size(), 5u);
    EXPECT_EQ(halves.freedom(), 2);
    EXPECT_GT(halves.squares, 0);
    const Bowl decades = bowl_of({1e-4, 1e-3, 1e-2});
    ASSERT_FALSE(decades.refused);
    EXPECT_EQ(decades.fitted.size(), 3u);
    // Of three points even about 0 at -s, 0, s: the vertex lies at s (first - last) / (2 (first + last - 2
    // middle)).
    const double s = std::log(10.0), first = 0.01 * s * s + 0.001, last = 0.01 * s * s;
    EXPECT_NEAR(decades.vertex[0], std::log(1e-3) + s * (first - last) / (2 * (first + last)), 1e-9);
}

TEST(Bowl, knowsHowSureItsBottomIs) {
    const Grid grid = grid_of(bowl_loss);
    const Bowl bowl = fit_bowl(grid.places, grid.log_loss);
    constexpr double noise = 1e-4;  // small, so that the bottom moves in proportion
    std::vector<double> moved;
    for (std::uint64_t draw = 0; draw < 2000; ++draw) {
        Random random(53, draw);
        std::vector<double> log_loss = grid.log_loss;
        for (double& value : log_loss)
            value += noise * random.normal();
        moved.push_back(refit(bowl, grid.places, log_loss).vertex[1]);
    }
    const double expected = noise * std::sqrt(bowl.vertex_variance[1]);
    EXPECT_NEAR(summarize(0, moved).se / expected, 1, 0.06);  // 2000 draws know a deviation to 1.6%
}

}  // namespace
}  // namespace isogrid::analysis
