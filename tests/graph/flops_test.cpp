// Counts of single ops against closed forms.
#include <gtest/gtest.h>

#include "graph/small_graphs.hpp"

namespace isogrid::tests {
namespace {

double flops_of(const graph::Graph& graph, std::string_view op_name) {
    double total = 0;
    for (const graph::Op& op : graph.ops())
        if (name(op) == op_name) total += flops(op, graph.tensors());
    return total;
}

TEST(Flops, ofALinearAreTwoPerWeightAndRowEachWay) {
    graph::Graph graph(batch, context);
    const auto table = graph.parameter("table", vocabulary, width);
    const auto weights = graph.parameter("weights", 3 * width, width);
    const auto out = graph.parameter("out", vocabulary, 3 * width);
    graph.cross_entropy(graph.logits(graph.linear(graph.embedding(table, 1.0f), weights), out));
    graph::differentiate(graph, 1.0f);
    const double each_way = 2.0 * batch * context * (3 * width * width + vocabulary * 3 * width);
    EXPECT_EQ(flops_of(graph, "linear"), each_way);
    EXPECT_EQ(flops_of(graph, "linear_backward_input"), each_way);
    EXPECT_EQ(flops_of(graph, "linear_backward_weights"), each_way);
}

TEST(Flops, ofAttentionCountOnlyWhatTheMaskLetsThrough) {
    const graph::Graph graph = attention_graph();
    constexpr double heads = 2, head_width = width / 2.0;
    const double visible = batch * heads * (context * (context + 1) / 2.0);
    const double rotations = 3.0 * batch * context * 2 * width;  // of q and k
    EXPECT_EQ(flops_of(graph, "attention"), rotations + visible * (2 * 2 * head_width + 5));
}

TEST(Flops, addingToAGradientCostsItsSize) {
    constexpr double rows = batch * context;
    graph::Graph residual = residual_graph();
    graph::differentiate(residual, 1.0f);
    // Two norms, and the gradient of the second one's input is added to that of the residual stream.
    EXPECT_EQ(flops_of(residual, "rms_norm_backward"), 2 * (9 * rows * width + 3 * rows) + rows * width);

    graph::Graph twice(batch, context);
    const auto table = twice.parameter("table", vocabulary, width);
    const auto weights = twice.parameter("weights", width, width);
    const auto x = twice.embedding(table, 1.0f);
    twice.cross_entropy(twice.logits(twice.swiglu(twice.linear(twice.linear(x, weights), weights)),
                                     twice.parameter("out", vocabulary, width / 2)));
    graph::differentiate(twice, 1.0f);
    const double products = 2 * rows * (2 * width * width + vocabulary * width / 2);
    EXPECT_EQ(flops_of(twice, "linear_backward_weights"), products + width * width);
    EXPECT_EQ(flops_of(twice, "linear_backward_input"), products);

    // Two products read what the embedding gives.
    graph::Graph tangled = tangled_graph();
    graph::differentiate(tangled, 1.0f);
    EXPECT_EQ(flops_of(tangled, "linear_backward_input"),
              2 * rows * (4 * width * width + vocabulary * width) + rows * width);
}

TEST(Flops, ofAnEmbeddingsGradientAreTwoPerNumber) {
    // A tied table: what the head has left in the gradient is added to, row by row, as it would be if that
    // were zero.
    graph::Graph tied = residual_graph();
    graph::differentiate(tied, 1.0f);
    EXPECT_EQ(flops_of(tied, "embedding_backward"), 2.0 * batch * context * width);
}

TEST(Bytes, ofAnOpAreItsInputsAndOutputsOnce) {
    graph::Graph graph(batch, context);
    const auto table = graph.parameter("table", vocabulary, width);
    const auto weights = graph.parameter("weights", vocabulary, width);
    graph.cross_entropy(graph.logits(graph.embedding(table, 1.0f), weights));
    const double rows = batch * context;
    const double embedding = vocabulary * width + rows * width;
    const double linear = rows * width + vocabulary * width + rows * vocabulary;
    const double loss = rows * vocabulary + rows;
    EXPECT_EQ(graph::bytes(graph), 4 * (embedding + linear + loss));
}

TEST(Bytes, ofBfloat16AreHalf) {
    graph::Graph graph(batch, context, kernels::Element::bfloat16);
    const auto x = graph.activation("x", batch * context, width, kernels::Element::bfloat16);
    const auto weights = graph.parameter("weights", 2 * width, width);
    graph.linear(x, weights);
    const double rows = batch * context;
    EXPECT_EQ(graph::bytes(graph), 2 * rows * width + 4 * 2 * width * width + 2 * rows * 2 * width);
}

}  // namespace
}  // namespace isogrid::tests
