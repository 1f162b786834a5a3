// The derived backward pass against finite differences of the forward pass, parameter by parameter.
#include "graph/differentiate.hpp"

#include <cmath>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "graph/small_graphs.hpp"

namespace isogrid::tests {
namespace {

struct Case {
    std::string name;
    std::function<graph::Graph()> make;
};

class Differentiate : public testing::TestWithParam<Case> {
  protected:
    std::unique_ptr<kernels::Backend> backend_ = kernels::make_reference_backend();

    double loss(graph::Program& program, std::vector<float>& weights) {
        run(program, some_tokens(1), some_tokens(4), weights, {});
        return backend_->sum(program.losses());
    }
};

TEST_P(Differentiate, gradientsEqualFiniteDifferences) {
    graph::Graph training = GetParam().make();
    constexpr float scale = 0.25f;
    graph::differentiate(training, scale);
    graph::Program backward(training, *backend_);
    graph::Program forward(GetParam().make(), *backend_);

    std::vector<float> weights = some_weights(forward.layout());
    std::vector<float> gradients(weights.size(), std::nanf(""));  // whatever is not written shows
    run(backward, some_tokens(1), some_tokens(4), weights, gradients);

    // Central differences: truncation h^2 f''' / 6, and rounding of ten float32 losses of a few nats, about
    // 10 * 3 * 2^-24 / h. At h = 2^-7 both are near 2e-4.
    constexpr float h = 0.0078125f;
    for (std::size_t t = 0; t < forward.layout().sizes.size(); ++t) {
        for (std::int64_t i = 0; i < forward.layout().sizes[t]; ++i) {
            const auto at = static_cast<std::size_t>(forward.layout().offsets[t] + i);
            const float kept = weights[at];
            weights[at] = kept + h;
            const double above = loss(forward, weights);
            weights[at] = kept - h;
            const double below = loss(forward, weights);
            weights[at] = kept;
            const double expected = scale * (above - below) / (2.0 * h);
            ASSERT_NEAR(gradients[at], expected, 1e-3 * (1 + std::abs(expected)))
                << "parameter " << t << "[" << i << "]";
        }
    }
}

TEST_P(Differentiate, aSecondRunGivesTheSameBits) {
    graph::Graph training = GetParam().make();
    graph::differentiate(training, 1.0f);
    graph::Program program(training, *backend_);
    std::vector<float> weights = some_weights(program.layout());
    std::vector<float> first(weights.size(), 0.0f), second(weights.size(), 0.0f);
    run(program, some_tokens(1), some_tokens(4), weights, first);
    run(program, some_tokens(2), some_tokens(3), weights, second);  // leaves other values in the arena
    run(program, some_tokens(1), some_tokens(4), weights, second);
    EXPECT_EQ(first, second);
}

INSTANTIATE_TEST_SUITE_P(Graphs, Differentiate,
                         testing::Values(Case{"residual", [] { return residual_graph(); }},
                                         Case{"tangled", tangled_graph},
                                         Case{"sum_with_its_source", sum_with_its_source_graph},
                                         Case{"product_added_to_its_input", product_added_to_its_input_graph},
                                         Case{"attention", [] { return attention_graph(); }}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace isogrid::tests
