#include "graph/chunked_head.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <variant>

namespace isogrid::graph {
namespace {

bool computes_losses(const Op& op) {
    return std::holds_alternative<CrossEntropy>(op) || std::holds_alternative<CrossEntropyGradient>(op);
}

}  // namespace

void chunk_head(Graph& graph, std::int64_t rows) {
    assert(rows > 0);
    if (graph.rows() <= rows) return;
    const auto losses = std::find_if(graph.ops().begin(), graph.ops().end(), computes_losses);
    assert(losses != graph.ops().begin() && losses != graph.ops().end());
    const auto product = losses - 1;
    const auto position = static_cast<std::size_t>(product - graph.ops().begin());
    const Linear head = std::get<Linear>(*product);
    const auto kept = [&](TensorId id) {
        return std::find(graph.kept().begin(), graph.kept().end(), id) != graph.kept().end();
    };
    if (kept(head.out)) return;

    const std::int64_t vocabulary = graph.tensor(head.out).columns;
    const TensorId logits =
        graph.activation("logits.chunk", rows, vocabulary, graph.tensor(head.out).element);
    if (const auto* op = std::get_if<CrossEntropy>(&*losses)) {
        graph.replace(position, ChunkedHead{head.x, head.weights, logits, op->losses, op->logit_scale}, 2);
        return;
    }
    const auto gradient = std::get<CrossEntropyGradient>(*losses);
    const auto of_weights = std::get<LinearBackwardWeights>(*(losses + 1));
    const auto of_x = std::get<LinearBackwardInput>(*(losses + 2));
    assert(of_weights.out_gradient == gradient.logits_gradient &&
           of_x.out_gradient == gradient.logits_gradient);
    const TensorId logits_gradient = graph.activation("logits.chunk.gradient", rows, vocabulary,
                                                      graph.tensor(gradient.logits_gradient).element);
    graph.replace(position,
                  ChunkedHeadGradient{head.x, head.weights, logits, gradient.losses, logits_gradient,
                                      of_weights.weights_gradient, of_x.x_gradient, gradient.logit_scale,
                                      gradient.loss_scale, of_weights.mode, of_x.mode},
                  4);
}

}  // namespace isogrid::graph
