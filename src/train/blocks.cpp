#include "train/blocks.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "model/llama.hpp"

namespace isogrid::train {
namespace {

/// The sum over a step's sequences of loss_scale * summed losses is the mean loss over the batch.
float loss_scale(const study::Trial& trial) {
    return 1.0f / static_cast<float>(trial.tokens_per_step());
}

/// Puts the window of `context` inputs that begins at `start` into row `row`: targets are one token on.
void copy_window(std::span<const data::Token> tokens, std::int64_t start, std::int64_t context,
                 std::int64_t row, std::span<kernels::TokenId> inputs, std::span<kernels::TokenId> targets) {
    for (std::int64_t i = 0; i < context; ++i) {
        inputs[row * context + i] = tokens[start + i];
        targets[row * context + i] = tokens[start + i + 1];
    }
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
    return model::build_training(trial.shape, trial.parametrization, trial.precision,
                                 block_sequences(trial, backend), loss_scale(trial))
        .graph;
}

graph::Graph evaluation_graph(const study::Trial& trial, const kernels::Backend& backend) {
    return model::build_forward(trial.shape, trial.parametrization, trial.precision,
                                block_sequences(trial, backend))
        .graph;
}

Blocks::Blocks(graph::Graph graph, kernels::Backend& backend,
               std::shared_ptr<graph::PackedParameters> parameters)
    : backend_(&backend),
      program_(std::move(graph), backend, std::move(parameters)),
      tokens_(static_cast<std::size_t>(2 * program_.graph().rows())),
      on_backend_(backend.allocate(tokens_.size() * sizeof(kernels::TokenId))) {}

double Blocks::run(std::span<const data::Token> tokens, std::int64_t sequences, const WindowStart& start,
                   std::span<float> gradient) {
    const std::int64_t in_a_block = program_.graph().batch(), context = program_.graph().context();
    const std::size_t rows = tokens_.size() / 2;
    const std::span<kernels::TokenId> here(tokens_);
    const std::span<const kernels::TokenId> there(reinterpret_cast<kernels::TokenId*>(on_backend_.get()),
                                                  tokens_.size());
    double total = 0;
    for (std::int64_t first = 0; first < sequences; first += in_a_block) {
        const std::int64_t filled = std::min(in_a_block, sequences - first);
        for (std::int64_t row = 0; row < in_a_block; ++row)  // the graph's size is fixed: pad, and ignore
            copy_window(tokens, start(first + (row < filled ? row : 0)), context, row, here.first(rows),
                        here.last(rows));
        backend_->copy_in(on_backend_.get(), here.data(), here.size_bytes());
        program_.run(there.first(rows), there.last(rows), gradient,
                     first == 0 ? kernels::Write::replace : kernels::Write::add);
        total += backend_->sum(program_.losses().first(static_cast<std::size_t>(filled * context)));
    }
    return total;
}

}  // namespace isogrid::train
