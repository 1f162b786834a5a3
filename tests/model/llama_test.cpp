// The model as a graph: its size, its cost, its start, and its whole gradient.
#include "model/llama.hpp"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "data/random.hpp"
#include "model/small_model.hpp"
#include "study/flops.hpp"

namespace isogrid::tests {
namespace {

TEST(Llama, hasTheParametersThatTheStudyCounts) {
    for (const bool tied : {false, true}) {
        const model::Llama model = model::build_forward(small_shape(tied), {}, study::Precision::float32, 1);
        std::int64_t total = 0;
        for (const graph::TensorId id : model.graph.parameters())
            total += model.graph.tensor(id).size();
        EXPECT_EQ(total, study::count_parameters(small_shape(tied)).total());
        EXPECT_EQ(model.roles.size(), model.graph.parameters().size());
    }
}

TEST(Llama, costsTheProductsAndScoresOfTheClosedFormAndLittleMore) {
    // The exact count adds to the closed form's products the elementwise work: at width 512, under a
    // twentieth.
    const study::Shape shape{512, 4, 8, 1368, 256, 128, false};
    const double exact = model::exact_flops_per_token(shape);
    const double products = study::count_flops(shape, exact).attention;
    // The closed form gives attention's backward twice its forward; the graph recomputes the scores: 5
    // products for 4.
    const double recomputed = 4.0 * 512 * (128 + 1) / 2 * 4 / 2;
    EXPECT_GT(exact, products + recomputed);
    EXPECT_LT(exact, 1.05 * (products + recomputed));
}

TEST(Llama, startsFromWeightsThatDependOnTheSeedAndNotOnTheBatch) {
    const auto weights = [](std::int64_t batch, std::uint64_t seed) {
        const model::Llama model =
            model::build_training(small_shape(), {}, study::Precision::float32, batch, 1.0f);
        return model::initial_weights(model.roles, graph::lay_out_parameters(model.graph), small_shape(), {},
                                      seed);
    };
    EXPECT_EQ(weights(1, 5), weights(4, 5));
    EXPECT_NE(weights(1, 5), weights(1, 6));
}

TEST(Llama, predictsUniformlyBeforeItHasLearned) {
    // Small weights make small logits z: the loss is log V up to about mean(z^2) / 2.
    study::Parametrization small;
    small.initial_deviation = 1e-3;
    const model::Llama model =
        model::build_forward(small_shape(), small, study::Precision::float32, small_batch);
    const double loss = small_loss(
        model,
        model::initial_weights(model.roles, graph::lay_out_parameters(model.graph), small_shape(), small, 1));
    const double rows = small_batch * small_shape().context;
    EXPECT_NEAR(loss / rows, std::log(small_shape().vocabulary), 1e-3);
}

TEST(Llama, directionalDerivativesEqualTheGradient) {
    for (const bool tied : {false, true}) {
        study::Parametrization mup;
        mup.base_width = 8;
        mup.initial_deviation = 0.3;
        mup.embedding_multiplier = 2;
        mup.output_multiplier = 3;
        mup.attention_multiplier = 1.5;
        const study::Shape shape = small_shape(tied);
        const std::unique_ptr<kernels::Backend> backend = kernels::make_reference_backend();
        const model::Llama forward = model::build_forward(shape, mup, study::Precision::float32, small_batch);
        const model::Llama training =
            model::build_training(shape, mup, study::Precision::float32, small_batch, 1.0f);
        graph::Program program(training.graph, *backend);
        std::vector<float> weights = model::initial_weights(training.roles, program.layout(), shape, mup, 3);
        std::vector<float> gradient(weights.size(), 0.0f);
        program.parameters()->pack(weights);
        program.run(small_tokens(0), small_tokens(1), gradient);

        for (std::uint32_t direction = 0; direction < 8; ++direction) {
            std::vector<float> step(weights.size());
            data::fill_normal(step, 11, direction, 1.0);
            const double expected = std::inner_product(step.begin(), step.end(), gradient.begin(), 0.0);
            // The loss is about 30 nats in float32, rounded near 1e-6 a row; at h = 2^-10 that is 1e-2 at
            // most, and the truncation h^2 |step|^3 of the same size.
            constexpr float h = 1.0f / 1024;
            const auto moved = [&](float by) {
                std::vector<float> there = weights;
                for (std::size_t i = 0; i < there.size(); ++i)
                    there[i] += by * step[i];
                return small_loss(forward, there);
            };
            const double measured = (moved(h) - moved(-h)) / (2.0 * h);
            EXPECT_NEAR(measured, expected, 2e-2 + 2e-3 * std::abs(expected)) << "direction " << direction;
        }
    }
}

}  // namespace
}  // namespace isogrid::tests
