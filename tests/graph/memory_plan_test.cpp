// Tensors that hold a value at the same time never share memory; those that do not, may.
#include "graph/memory_plan.hpp"

#include <set>

#include <gtest/gtest.h>

#include "graph/chunked_head.hpp"
#include "graph/small_graphs.hpp"

namespace isogrid::tests {
namespace {

/// Replays the ops on a map from float to the tensor that wrote it last, and finds reads of overwritten
/// values.
std::string first_spoiled_read(const graph::Graph& graph, const graph::MemoryPlan& plan) {
    std::vector<int> owner(static_cast<std::size_t>(plan.arena_floats), -1);
    const auto each_float = [&](graph::TensorId id, auto&& visit) {
        if (graph.tensor(id).space != graph::Space::activation) return;
        for (std::int64_t i = 0; i < graph.tensor(id).floats(); ++i)
            visit(owner[static_cast<std::size_t>(plan.offsets[id.index] + i)]);
    };
    for (const graph::Op& op : graph.ops()) {
        bool spoiled = false;
        for (const graph::TensorId id : reads(op))
            each_float(id, [&](int& value) { spoiled = spoiled || value != id.index; });
        if (spoiled) return std::string(name(op));
        for (const graph::TensorId id : writes(op))
            each_float(id, [&](int& value) { value = id.index; });
    }
    bool losses_live = true;
    each_float(graph.losses(),
               [&](int& value) { losses_live = losses_live && value == graph.losses().index; });
    return losses_live ? "" : "losses";
}

TEST(MemoryPlan, neverGivesAwayMemoryThatIsStillNeeded) {
    using kernels::Element;
    for (graph::Graph graph : {residual_graph(), tangled_graph(), attention_graph(),
                               residual_graph(Element::bfloat16), attention_graph(Element::bfloat16)}) {
        EXPECT_EQ(first_spoiled_read(graph, graph::plan_memory(graph)), "");
        graph::Graph in_chunks = graph;
        graph::chunk_head(in_chunks, 3);
        EXPECT_EQ(first_spoiled_read(in_chunks, graph::plan_memory(in_chunks)), "");
        graph::differentiate(graph, 1.0f);
        EXPECT_EQ(first_spoiled_read(graph, graph::plan_memory(graph)), "");
        graph::chunk_head(graph, 3);
        EXPECT_EQ(first_spoiled_read(graph, graph::plan_memory(graph)), "");
    }
}

TEST(MemoryPlan, theReplayNoticesAPlanThatIsWrong) {
    const graph::Graph graph = residual_graph();
    graph::MemoryPlan plan = graph::plan_memory(graph);
    for (std::int64_t& offset : plan.offsets)
        offset = offset < 0 ? offset : 0;
    EXPECT_NE(first_spoiled_read(graph, plan), "");
}

TEST(MemoryPlan, sharesMemoryOverTime) {
    // A chain of equal linears needs two tensors at a time, however long it is; beside them only the logits'
    // work.
    graph::Graph chain(batch, context);
    const auto table = chain.parameter("table", vocabulary, width);
    const auto weights = chain.parameter("weights", width, width);
    auto x = chain.embedding(table, 1.0f);
    for (int i = 0; i < 20; ++i)
        x = chain.linear(x, weights);
    chain.cross_entropy(chain.logits(x, table));
    const std::int64_t rows = batch * context;
    EXPECT_LE(
        graph::plan_memory(chain).arena_floats,
        graph::aligned(rows * width) * 2 + graph::aligned(rows * vocabulary) + 2 * graph::aligned(rows));
}

TEST(ParameterLayout, startsEveryTensorOnABoundaryAndKeepsTheOrder) {
    const graph::Graph graph = tangled_graph();
    const graph::ParameterLayout layout = graph::lay_out_parameters(graph);
    ASSERT_EQ(layout.sizes.size(), 5u);
    std::int64_t end = 0;
    for (std::size_t i = 0; i < layout.sizes.size(); ++i) {
        EXPECT_EQ(layout.offsets[i] % graph::alignment_floats, 0);
        EXPECT_GE(layout.offsets[i], end);
        end = layout.offsets[i] + layout.sizes[i];
    }
    EXPECT_GE(layout.floats, end);
}

TEST(ParameterLayout, leavesNoGapBetweenJoinedParameters) {
    graph::Graph graph(batch, context);
    graph.parameter("before", 1, 5);
    const auto first = graph.parameter("first", 3, 5), second = graph.parameter("second", 2, 5);
    const auto both = graph.joined({first, second});
    const auto after = graph.parameter("after", 1, 5);
    const graph::ParameterLayout layout = graph::lay_out_parameters(graph);
    EXPECT_EQ(layout.offset_of.at(both), layout.offset_of.at(first));
    EXPECT_EQ(layout.offset_of.at(second), layout.offset_of.at(first) + 15);
    EXPECT_EQ(layout.offset_of.at(first) % graph::alignment_floats, 0);
    EXPECT_EQ(layout.offset_of.at(after) % graph::alignment_floats, 0);
    EXPECT_EQ(graph.tensor(both).rows, 5);
}

}  // namespace
}  // namespace isogrid::tests
