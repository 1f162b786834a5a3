// A head that takes its rows a few at a time against one that takes all of them.
#include "graph/chunked_head.hpp"

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "graph/small_graphs.hpp"

namespace isogrid::tests {
namespace {

constexpr std::int64_t all_rows = batch * context, a_few = 4;  // the last chunk has two

graph::Graph differentiated(graph::Graph graph) {
    graph::differentiate(graph, 0.25f);
    return graph;
}
graph::Graph chunked(graph::Graph graph, std::int64_t rows = a_few) {
    graph::chunk_head(graph, rows);
    return graph;
}

struct Outcome {
    std::vector<float> losses, gradients;
};

Outcome outcome_of(graph::Graph graph, kernels::Backend& backend) {
    graph::Program program(std::move(graph), backend);
    const std::vector<float> weights = some_weights(program.layout());
    Outcome outcome{{}, std::vector<float>(weights.size(), std::nanf(""))};
    run(program, some_tokens(1), some_tokens(4), weights, outcome.gradients);
    outcome.losses.assign(program.losses().begin(), program.losses().end());
    return outcome;
}

const std::vector<std::function<graph::Graph()>> graphs = {
    [] { return residual_graph(); },
    [] { return attention_graph(); },
    [] { return residual_graph(kernels::Element::bfloat16); },
};

TEST(ChunkedHead, hasTheBitsOfAWholeOneOnAProcessor) {
    // Sums over rows run in rising order there, whatever the blocks (kernels/backend.hpp).
    const auto backend = kernels::make_cpu_backend();
    const Outcome whole = outcome_of(differentiated(residual_graph()), *backend),
                  parts = outcome_of(chunked(differentiated(residual_graph())), *backend);
    EXPECT_EQ(parts.losses, whole.losses);
    for (std::size_t i = 0; i < whole.gradients.size(); ++i)
        if (!std::isnan(whole.gradients[i])) {  // the gaps of the layout
            EXPECT_EQ(parts.gradients[i], whole.gradients[i]) << i;
        }
}

TEST(ChunkedHead, hasTheSameLossesAndGradients) {
    const auto backend = kernels::make_reference_backend();
    for (const auto& make : graphs) {
        const Outcome whole = outcome_of(differentiated(make()), *backend),
                      parts = outcome_of(chunked(differentiated(make())), *backend);
        EXPECT_EQ(parts.losses, whole.losses);
        // Three chunks: the sums of a weight's gradient are rounded three times instead of once.
        for (std::size_t i = 0; i < whole.gradients.size(); ++i)
            if (const float slope = whole.gradients[i]; !std::isnan(slope)) {
                EXPECT_NEAR(parts.gradients[i], slope, 0x1p-22 * (1 + std::abs(slope)));
            }
        EXPECT_EQ(outcome_of(chunked(make()), *backend).losses, outcome_of(make(), *backend).losses);
    }
}

TEST(ChunkedHead, countsTheFlopsOfAWholeOne) {
    for (const auto& make : graphs) {
        EXPECT_EQ(graph::flops(chunked(make())), graph::flops(make()));
        EXPECT_EQ(graph::flops(chunked(differentiated(make()))), graph::flops(differentiated(make())));
    }
}

TEST(ChunkedHead, holdsAndMovesNoMoreLogitsThanAChunkHas) {
    // One layer before a head so wide that its logits are what is planned.
    constexpr std::int64_t words = 4096;
    const auto make = [] {
        graph::Graph graph(batch, context);
        const auto table = graph.parameter("table", words, width);
        graph.cross_entropy(graph.logits(graph.embedding(table, 1.0f), table));
        return differentiated(std::move(graph));
    };
    const auto planned = [](const graph::Graph& graph) { return graph::plan_memory(graph).arena_floats; };
    EXPECT_GE(planned(make()), all_rows * words);
    EXPECT_LT(planned(chunked(make(), 2)), 3 * words);
    // Written, read, written as a gradient and read twice are 5 times all logits; a chunk's are counted once
    // each.
    EXPECT_EQ(graph::bytes(make()) - graph::bytes(chunked(make(), 2)),
              4 * (5 * all_rows * words - 2 * 2 * words +  // and each of these once instead of twice:
                   all_rows * width + words * width));
}

TEST(ChunkedHead, leavesAGraphAloneThatHasNoMoreRowsOrKeepsItsLogits) {
    const graph::Graph graph = chunked(differentiated(residual_graph()), all_rows);
    EXPECT_EQ(graph.ops().size(), differentiated(residual_graph()).ops().size());
    graph::Graph looked_at(batch, context);
    const auto table = looked_at.parameter("table", vocabulary, width);
    const auto logits = looked_at.logits(looked_at.embedding(table, 1.0f), table);
    looked_at.cross_entropy(logits);
    looked_at.keep(logits);
    EXPECT_EQ(chunked(looked_at).ops().size(), looked_at.ops().size());
}

}  // namespace
}  // namespace isogrid::tests
