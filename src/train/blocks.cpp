#include "train/blocks.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "model/llama.hpp"

namespace isogrid::train {
namespace {

/// Few rows keep a block's activations in the cache; many spread the cost of adding to the gradients of all
/// weights, which wide models feel (docs/performance.md has the measurements).
std::int64_t wanted_rows(std::int64_t width) {
    return width >= 128 ? 512 : 256;
}

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

std::int64_t block_sequences(const study::Trial& trial) {
    const std::int64_t most = std::max<std::int64_t>(1, wanted_rows(trial.shape.width) / trial.shape.context);
    std::int64_t sequences = std::min(most, trial.leaf_batch());
    while (trial.leaf_batch() % sequences != 0)
        --sequences;
    return sequences;
}

graph::Graph training_graph(const study::Trial& trial) {
    return model::build_training(trial.shape, trial.parametrization, trial.precision, block_sequences(trial),
                                 loss_scale(trial))
        .graph;
}

graph::Graph evaluation_graph(const study::Trial& trial) {
    return model::build_forward(trial.shape, trial.parametrization, trial.precision, block_sequences(trial))
        .graph;
}

Blocks::Blocks(graph::Graph graph, kernels::Backend& backend,
               std::shared_ptr<graph::PackedParameters> parameters)
    : backend_(&backend),
      program_(std::move(graph), backend, std::move(parameters)),
      inputs_(static_cast<std::size_t>(program_.graph().rows())),
      targets_(inputs_.size()) {}

double Blocks::run(std::span<const data::Token> tokens, std::int64_t sequences, const WindowStart& start,
                   std::span<float> gradient) {
    const std::int64_t in_a_block = program_.graph().batch(), context = program_.graph().context();
    double total = 0;
    for (std::int64_t first = 0; first < sequences; first += in_a_block) {
        const std::int64_t filled = std::min(in_a_block, sequences - first);
        for (std::int64_t row = 0; row < in_a_block; ++row)  // the graph's size is fixed: pad, and ignore
            copy_window(tokens, start(first + (row < filled ? row : 0)), context, row, inputs_, targets_);
        program_.run(inputs_, targets_, gradient, first == 0 ? kernels::Write::replace : kernels::Write::add);
        total += backend_->sum(program_.losses().first(static_cast<std::size_t>(filled * context)));
    }
    return total;
}

}  // namespace isogrid::train
