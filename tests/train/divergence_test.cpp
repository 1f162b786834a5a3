#include "train/divergence.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace isogrid::train {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t warmup = 4;

/// Starts at 5.5; a row a step, without validation losses.
std::vector<archive::CurvePoint> curve(std::vector<double> training_losses) {
    std::vector<archive::CurvePoint> rows(1);
    rows[0].validation_loss = 5.5;
    rows[0].training_loss = nan;
    for (const double loss : training_losses) {
        archive::CurvePoint row;
        row.step = static_cast<std::int64_t>(rows.size());
        row.training_loss = loss;
        row.validation_loss = nan;
        rows.push_back(row);
    }
    return rows;
}

std::vector<double> losses(std::int64_t high_steps, double then) {
    std::vector<double> all(static_cast<std::size_t>(warmup), 8.0);
    all.insert(all.end(), static_cast<std::size_t>(high_steps), 8.0);
    all.push_back(then);
    return all;
}

TEST(Divergence, isALossAboveItsStartThatStaysThere) {
    EXPECT_EQ(divergence(curve(losses(63, 8)), warmup), "");
    EXPECT_EQ(divergence(curve(losses(64, 8)), warmup),
              "the loss was above the one it started from all the way from step 5 to step 69");
    EXPECT_EQ(divergence(curve(losses(64, 5)), warmup), "") << "a spike that is over";
}

TEST(Divergence, isLookedForLongerWhereMuchWasTrained) {
    std::vector<double> all(2000, 5.0);
    all.insert(all.end(), 100, 8.0);
    EXPECT_EQ(divergence(curve(all), warmup), "");  // 99 steps after the first, of 2100 a twentieth is 105
    all.insert(all.end(), 6, 8.0);
    EXPECT_NE(divergence(curve(all), warmup), "");
}

// Rows between evaluations know the training loss alone, with the noise of its batch.
TEST(Divergence, isSeenWhereEvaluationsAreAboveAndNothingBetweenIsBelow) {
    auto rows = curve(std::vector<double>(100, 5.7));
    EXPECT_EQ(divergence(rows, warmup), "");
    rows[20].validation_loss = rows[100].validation_loss = 5.6;
    EXPECT_NE(divergence(rows, warmup), "");
    rows[60].training_loss = 5.4;
    EXPECT_EQ(divergence(rows, warmup), "");
}

TEST(Divergence, atTheEndIsOfTheLastRow) {
    EXPECT_EQ(divergence_at_end(curve(losses(1, 8)), warmup),
              "the loss at its end is above the one it started from");
    EXPECT_EQ(divergence_at_end(curve(losses(64, 5)), warmup), "");
    EXPECT_EQ(divergence_at_end(curve({8}), warmup), "") << "a trial that ends in its warm-up";
    EXPECT_EQ(divergence_at_end(curve({}), warmup), "");
}

TEST(Divergence, isNotOverfitting) {
    auto rows = curve(losses(0, 2.0));
    rows.back().validation_loss = 5.6;
    EXPECT_EQ(divergence_at_end(rows, warmup), "");
    for (const double loss : {3.0, 5.6}) {  // a spike at the end of a run that went well is no overfitting
        rows.back().training_loss = loss;
        EXPECT_NE(divergence_at_end(rows, warmup), "");
    }
}

}  // namespace
}  // namespace isogrid::train
