// Many sequences through one small program: block after block, so that what a block leaves for the next op is
// still in the processor's cache, and memory is that of one block.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "data/token_file.hpp"
#include "graph/program.hpp"
#include "kernels/backend.hpp"
#include "study/trial.hpp"

namespace isogrid::train {

/// Sequences a block of a trial: the same on every machine with such a backend, as the bits of a gradient may
/// depend on it.
std::int64_t block_sequences(const study::Trial& trial, const kernels::Backend& backend);

/// The trial's graphs over one block.
graph::Graph training_graph(const study::Trial& trial, const kernels::Backend& backend);
graph::Graph evaluation_graph(const study::Trial& trial, const kernels::Backend& backend);

class Blocks {
  public:
    /// `graph` is one of the above; `parameters` as for graph::Program.
    Blocks(graph::Graph graph, kernels::Backend& backend,
           std::shared_ptr<graph::PackedParameters> parameters = nullptr);

    /// Where the window of sequence i begins in the tokens.
    using WindowStart = std::function<std::int64_t(std::int64_t sequence)>;

    /// Runs `sequences` windows of `tokens` and returns the sum of their losses (nats), replacing `gradient`
    /// by the sum of the blocks' gradients (empty for an evaluation graph).
    double run(std::span<const data::Token> tokens, std::int64_t sequences, const WindowStart& start,
               std::span<float> gradient);

    graph::Program& program() { return program_; }
    const graph::Program& program() const { return program_; }

  private:
    kernels::Backend* backend_;
    graph::Program program_;
    std::vector<kernels::TokenId> tokens_;  ///< of one block: inputs, then targets
    kernels::Storage on_backend_;           ///< the same, where ops read them
};

}  // namespace isogrid::train
