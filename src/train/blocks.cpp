#include "train/blocks.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "graph/chunked_head.hpp"
#include "model/llama.hpp"

namespace isogrid::train {
namespace {

graph::Graph with_chunked_head(graph::Graph graph, std::int64_t vocabulary, const kernels::Backend& backend) {
    graph::chunk_head(graph, backend.logit_rows_at_once(vocabulary));
    return graph;
}

/// The sum over a step's sequences of loss_scale * summed losses is the mean loss over the batch.
float loss_scale(const study::Trial& trial) {
    return 1.0f / static_cast<float>(trial.tokens_per_step());
}

}  // namespace

std::int64_t block_sequences(const study::Trial& trial, const kernels::Backend& backend) {
    const std::int64_t most =
        std::max<std::int64_t>(1, backend.rows_at_once(trial.shape.width) / trial.shape.context);
    std::int64_t sequences = std::min(most, trial.leaf_batch());
    while (trial.leaf_batch() % sequences != 0)
        --sequences;
    return sequences;
}

graph::Graph training_graph(const study::Trial& trial, const kernels::Backend& backend) {
    return with_chunked_head(model::build_training(trial.shape, trial.parametrization, trial.precision,
                                                   block_sequences(trial, backend), loss_scale(trial))
                                 .graph,
                             trial.shape.vocabulary, backend);
}

graph::Graph evaluation_graph(const study::Trial& trial, const kernels::Backend& backend) {
    return with_chunked_head(model::build_forward(trial.shape, trial.parametrization, trial.precision,
                                                  block_sequences(trial, backend))
                                 .graph,
                             trial.shape.vocabulary, backend);
}

Blocks::Blocks(graph::Graph graph, kernels::Backend& backend,
               std::shared_ptr<graph::PackedParameters> parameters)
    : backend_(&backend), program_(std::move(graph), backend, std::move(parameters)) {}

void Blocks::run(const Windows& windows, std::int64_t first, std::int64_t sequences,
                 std::span<float> gradient, double* loss, const graph::GradientsFinal& on_final) {
    const std::int64_t in_a_block = program_.graph().batch(), context = program_.graph().context();
    for (std::int64_t done = 0; done < sequences; done += in_a_block) {
        program_.run(windows.inputs(first + done, in_a_block), windows.targets(first + done, in_a_block),
                     gradient, done == 0 ? kernels::Write::replace : kernels::Write::add,
                     done + in_a_block >= sequences ? on_final : graph::GradientsFinal());
        const std::int64_t filled = std::min(in_a_block, sequences - done);
        backend_->add_sum(program_.losses().first(static_cast<std::size_t>(filled * context)), loss);
    }
}

}  // namespace isogrid::train
