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
    graph::Graph tied = residual_graph();
    graph::differentiate(tied, 1.0f);
    // The tied table's gradient is made by the head and added to by the embedding, two operations an element
    // of rows.
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
