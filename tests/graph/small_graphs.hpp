// Small graphs with the shapes of trouble in them: shared inputs, residual sums, tied weights.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "data/random.hpp"
#include "graph/differentiate.hpp"
#include "graph/program.hpp"
#include "kernels/backend.hpp"

namespace isogrid::tests {

inline constexpr std::int64_t vocabulary = 11, width = 8, batch = 2, context = 5;

/// Embedding, one residual block of a norm and a SwiGLU, and a head that is the embedding again.
inline graph::Graph residual_graph(kernels::Element element = kernels::Element::float32) {
    graph::Graph graph(batch, context, element);
    const auto table = graph.parameter("table", vocabulary, width);
    const auto gain = graph.parameter("gain", 1, width);
    const auto gate_weights = graph.parameter("gate", 2 * width, width);
    const auto up_weights = graph.parameter("up", 2 * width, width);
    const auto gate_up_weights = graph.joined({gate_weights, up_weights});
    const auto down_weights = graph.parameter("down", width, 2 * width);
    const auto last_gain = graph.parameter("last gain", 1, width);
    const auto x = graph.embedding(table, 1.5f);
    const auto normed = graph.rms_norm(x, gain, 1e-5f);
    const auto out = graph.add_linear(x, graph.swiglu(graph.linear(normed, gate_up_weights)), down_weights);
    graph.cross_entropy(graph.logits(graph.rms_norm(out, last_gain, 1e-5f), table), 0.5f);
    return graph;
}

/// The same tensor feeds a sum from both sides and through other ops, in an order in which sharing the
/// gradient's memory between the operands of a sum would spoil it.
inline graph::Graph tangled_graph() {
    graph::Graph graph(batch, context);
    const auto table = graph.parameter("table", vocabulary, width);
    const auto first = graph.parameter("first", width, width);
    const auto second = graph.parameter("second", width, width);
    const auto third = graph.parameter("third", 2 * width, width);
    const auto gain = graph.parameter("gain", 1, width);
    const auto x = graph.embedding(table, 1.0f);
    const auto a = graph.linear(x, first);
    const auto b = graph.linear(x, second);
    const auto late = graph.rms_norm(b, gain, 1e-5f);
    const auto sum =
        graph.add(a, b);  // a's and b's gradients share memory when late's adds to b's, before a's is used
    const auto product = graph.swiglu(graph.linear(late, third));
    const auto twice = graph.add(product, sum);
    graph.cross_entropy(graph.logits(twice, table));
    return graph;
}

/// A sum of a tensor and of what is made of it: the op between has the sum's gradient for its output, and
/// must not add to it what it finds for its input.
inline graph::Graph sum_with_its_source_graph() {
    graph::Graph graph(batch, context);
    const auto table = graph.parameter("table", vocabulary, width);
    const auto weights = graph.parameter("weights", width, width);
    const auto x = graph.embedding(table, 1.0f);
    const auto y = graph.linear(x, weights);
    graph.cross_entropy(graph.logits(graph.add(x, y), table));
    return graph;
}

/// A product added to what it is the product of, which nobody needs afterwards.
inline graph::Graph product_added_to_its_input_graph() {
    graph::Graph graph(batch, context);
    const auto table = graph.parameter("table", vocabulary, width);
    const auto weights = graph.parameter("weights", width, width);
    const auto x = graph.embedding(table, 1.0f);
    graph.cross_entropy(graph.logits(graph.add_linear(x, x, weights), table));
    return graph;
}

/// Attention with rotary positions over two heads, added to the residual stream.
inline graph::Graph attention_graph(kernels::Element element = kernels::Element::float32) {
    graph::Graph graph(batch, context, element);
    const auto table = graph.parameter("table", vocabulary, width);
    const auto gain = graph.parameter("gain", 1, width);
    const auto q_weights = graph.parameter("q", width, width);
    const auto k_weights = graph.parameter("k", width, width);
    const auto v_weights = graph.parameter("v", width, width);
    const auto qkv_weights = graph.joined({q_weights, k_weights, v_weights});
    const auto out_weights = graph.parameter("out", width, width);
    std::vector<float> cosines, sines;
    for (std::int64_t position = 0; position < context; ++position)
        for (std::int64_t i = 0; i < width / 4; ++i) {
            cosines.push_back(static_cast<float>(std::cos(0.3 * static_cast<double>(position * (i + 1)))));
            sines.push_back(static_cast<float>(std::sin(0.3 * static_cast<double>(position * (i + 1)))));
        }
    const auto cosine_table = graph.constant("cosines", context, width / 4, cosines);
    const auto sine_table = graph.constant("sines", context, width / 4, sines);
    const auto x = graph.embedding(table, 1.0f);
    const auto qkv = graph.linear(graph.rms_norm(x, gain, 1e-5f), qkv_weights);
    const auto out =
        graph.add_linear(x, graph.attention(qkv, cosine_table, sine_table, 2, 0.5f), out_weights);
    graph.cross_entropy(graph.logits(graph.rms_norm(out, gain, 1e-5f), table));
    return graph;
}

/// One run of `program` under `weights`.
inline void run(graph::Program& program, std::span<const kernels::TokenId> inputs,
                std::span<const kernels::TokenId> targets, std::span<const float> weights,
                std::span<float> gradients) {
    program.parameters()->pack(weights);
    program.run(inputs, targets, gradients);
}

inline std::vector<kernels::TokenId> some_tokens(std::uint64_t seed) {
    std::vector<kernels::TokenId> tokens;
    for (std::int64_t i = 0; i < batch * context; ++i)
        tokens.push_back(static_cast<kernels::TokenId>((i * i * 5 + i * 3 + static_cast<std::int64_t>(seed)) %
                                                       vocabulary));
    return tokens;
}

inline std::vector<float> some_weights(const graph::ParameterLayout& layout) {
    std::vector<float> weights(static_cast<std::size_t>(layout.floats), 0.0f);
    for (std::size_t i = 0; i < layout.sizes.size(); ++i)
        data::fill_normal(std::span(weights).subspan(static_cast<std::size_t>(layout.offsets[i]),
                                                     static_cast<std::size_t>(layout.sizes[i])),
                          7, static_cast<std::uint32_t>(i), 0.5);
    return weights;
}

}  // namespace isogrid::tests
