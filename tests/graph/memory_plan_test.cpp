// Tensors that hold a value at the same time never share memory; those that do not, may.
#include "graph/memory_plan.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "graph/chunked_head.hpp"
#include "graph/small_graphs.hpp"

namespace isogrid::tests {
namespace {

/// Whether two activations have memory in common.
bool overlap(const graph::Graph& graph, const graph::MemoryPlan& plan, graph::TensorId a, graph::TensorId b) {
    const auto is_in_arena = [&](graph::TensorId id) {
        return graph.tensor(id).space == graph::Space::activation;
    };
    const auto begin = [&](graph::TensorId id) { return plan.offsets[id.index]; };
    const auto end = [&](graph::TensorId id) { return begin(id) + graph.tensor(id).floats(); };
    return is_in_arena(a) && is_in_arena(b) && begin(a) < end(b) && begin(b) < end(a);
}

/// Whether an op, while it runs, would write over what it still reads or has just written. Only the pair that
/// in_place names may share memory, and only as often as the op reads it for that.
bool spoils_itself(const graph::Graph& graph, const graph::MemoryPlan& plan, const graph::Op& op) {
    const graph::InPlace pair = in_place(op);
    const std::vector<graph::TensorId> outputs = writes(op);
    for (const graph::TensorId output : outputs) {
        bool may_take_over = output == pair.output;
        for (const graph::TensorId input : reads(op)) {
            if (input == output) continue;  // added to
            if (may_take_over && input == pair.input)
                may_take_over = false;  // another read of the same tensor is not of the pair
            else if (overlap(graph, plan, input, output))
                return true;
        }
        for (const graph::TensorId other : outputs)
            if (other != output && overlap(graph, plan, other, output) &&
                !(other == pair.input && output == pair.output) &&
                !(output == pair.input && other == pair.output))
                return true;
    }
    return false;
}

/// Replays the ops on a map from float to the tensor that wrote it last, and finds reads of overwritten
/// values, and ops that would overwrite their own.
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
        if (spoiled || spoils_itself(graph, plan, op)) return std::string(name(op));
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
    for (graph::Graph graph :
         {residual_graph(), tangled_graph(), sum_with_its_source_graph(), product_added_to_its_input_graph(),
          attention_graph(), residual_graph(Element::bfloat16), attention_graph(Element::bfloat16)}) {
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

TEST(MemoryPlan, theReplayNoticesAnOpThatWritesOverWhatItReads) {
    // The input dies in the op, so that no later read tells.
    const graph::Graph graph = product_added_to_its_input_graph();
    graph::MemoryPlan plan = graph::plan_memory(graph);
    ASSERT_EQ(name(graph.ops()[1]), "linear");
    plan.offsets[writes(graph.ops()[1])[0].index] = plan.offsets[reads(graph.ops()[1])[0].index];
    EXPECT_EQ(first_spoiled_read(graph, plan), "linear");
}

TEST(MemoryPlan, theReplayNoticesOutputsOfOneOpThatShareMemory) {
    const graph::Graph graph = residual_graph();
    graph::MemoryPlan plan = graph::plan_memory(graph);
    const graph::Op& last_norm = *std::find_if(graph.ops().rbegin(), graph.ops().rend(),
                                               [](const auto& op) { return name(op) == "rms_norm"; });
    const std::vector<graph::TensorId> outputs = writes(last_norm);  // nobody reads the second
    plan.offsets[outputs[1].index] = plan.offsets[outputs[0].index];
    EXPECT_EQ(first_spoiled_read(graph, plan), "rms_norm");
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
