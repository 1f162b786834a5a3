// Leaves of a batch tell the gradient's noise from the gradient (McCandlish et al. 2018, appendix A.1).
#include "train/gradient_noise.hpp"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "data/random.hpp"
#include "kernels/cpu/cpu_backend.hpp"
#include "model/llama.hpp"

namespace isogrid::tests {
namespace {

using study::ParameterGroup;

TEST(GradientNoise, isNoneWhereLeavesAgree) {
    // Four leaves with the same share g of the batch's mean gradient 4 g: all signal.
    const double share = 0.25;
    const archive::GradientNoise noise = train::gradient_noise(4 * share * share, 1.0, 4, 8);
    EXPECT_DOUBLE_EQ(noise.signal, 1.0);
    EXPECT_DOUBLE_EQ(noise.variance, 0.0);
}

TEST(GradientNoise, isAllWhereLeavesAreOrthogonal) {
    // Shares of squared norm 1 that have nothing in common: |G_B|^2 = 4, |G_b|^2 = 16, tr(Sigma) = 12 / (1/2
    // - 1/8).
    const archive::GradientNoise noise = train::gradient_noise(4.0, 4.0, 4, 8);
    EXPECT_DOUBLE_EQ(noise.signal, 0.0);
    EXPECT_DOUBLE_EQ(noise.variance, 32.0);
}

TEST(GradientNoise, cannotBeSeenInOneLeaf) {
    EXPECT_TRUE(std::isnan(train::gradient_noise(1.0, 1.0, 1, 8).signal));
    EXPECT_TRUE(std::isnan(train::gradient_noise(1.0, 1.0, 1, 8).variance));
}

// Sequences whose gradients are G plus unit normal noise in each of `dimensions`: tr(Sigma) = dimensions.
TEST(GradientNoise, isUnbiasedOnGradientsOfKnownNoise) {
    constexpr std::int64_t dimensions = 50, leaves = 4, batch = 12, steps = 4000;
    constexpr double component = 0.2;  // of G, so that |G|^2 = 2
    double signal = 0, variance = 0;
    std::vector<float> noise(dimensions * batch);
    for (std::uint32_t step = 0; step < steps; ++step) {
        data::fill_normal(noise, /*seed=*/7, step, /*deviation=*/1.0);
        double leaf_norms = 0, batch_norm = 0;
        std::vector<double> total(dimensions, 0.0);
        for (std::int64_t leaf = 0; leaf < leaves; ++leaf)
            for (std::int64_t i = 0; i < dimensions; ++i) {
                double share = 0;
                for (std::int64_t k = leaf * batch / leaves; k < (leaf + 1) * batch / leaves; ++k)
                    share += (component + static_cast<double>(noise[k * dimensions + i])) / batch;
                leaf_norms += share * share;
                total[i] += share;
            }
        batch_norm = std::inner_product(total.begin(), total.end(), total.begin(), 0.0);
        const archive::GradientNoise estimate = train::gradient_noise(leaf_norms, batch_norm, leaves, batch);
        signal += estimate.signal / steps;
        variance += estimate.variance / steps;
    }
    // Standard errors over the steps: of tr(Sigma) sqrt(2 dimensions / (leaves - 1) / steps) = 0.09; of |G|^2
    // sqrt((4 |G|^2 / batch + 2 dimensions / batch^2 (1 + 1 / (leaves - 1))) / steps) = 0.02. Four of each.
    EXPECT_NEAR(variance, dimensions, 0.37);
    EXPECT_NEAR(signal, dimensions * component * component, 0.08);
}

TEST(RunsOfGroups, areTheWholeGradient) {
    for (const bool tied : {false, true}) {
        const study::Shape shape = {.width = 16,
                                    .depth = 2,
                                    .heads = 2,
                                    .mlp_width = 24,
                                    .vocabulary = 12,
                                    .context = 8,
                                    .tied_head = tied};
        const model::Llama model = model::build_forward(shape, {}, study::Precision::float32, 1);
        const graph::ParameterLayout layout = graph::lay_out_parameters(model.graph);
        const auto backend = kernels::make_cpu_backend();
        std::vector<float> gradient(static_cast<std::size_t>(layout.floats), 0.0f);
        for (std::size_t i = 0; i < layout.offsets.size(); ++i)
            std::fill_n(gradient.begin() + layout.offsets[i], layout.sizes[i], 0.5f);
        train::GroupNorms norms{};
        backend->add_sums_of_squares(gradient, train::runs_of_groups(model.groups, layout), norms.data());
        const study::ParameterCounts counts = study::count_parameters(shape);
        const auto quarter = [](std::int64_t count) { return 0.25 * static_cast<double>(count); };
        EXPECT_EQ(norms,
                  (train::GroupNorms{quarter(counts.embedding), quarter(counts.head),
                                     quarter(counts.attention), quarter(counts.mlp), quarter(counts.norm)}));
    }
}

TEST(GradientNoise, ofARowIsThatOfTheMeansOverItsSteps) {
    archive::CurvePoint row;
    train::write_noise(row, {}, /*steps=*/0, /*leaves=*/4, /*batch=*/8);
    EXPECT_TRUE(std::isnan(row.noise.signal));  // no step yet
    train::NoiseSums sums;
    const auto mlp = static_cast<std::size_t>(ParameterGroup::mlp);
    sums.of_leaves[mlp] = 1 + 3;
    sums.of_batch[mlp] = 4 + 0;
    train::write_noise(row, sums, /*steps=*/2, /*leaves=*/4, /*batch=*/8);
    const archive::GradientNoise mean = train::gradient_noise(2, 2, 4, 8);
    EXPECT_DOUBLE_EQ(row.noise_of_group[mlp].signal, mean.signal);
    EXPECT_DOUBLE_EQ(row.noise_of_group[mlp].variance, mean.variance);
    EXPECT_DOUBLE_EQ(row.noise.variance, mean.variance);
    EXPECT_DOUBLE_EQ(row.noise_of_group[0].variance, 0);
}

}  // namespace
}  // namespace isogrid::tests
