// Many sequences through one small program: block after block, so that what a block leaves for the next op is
// still in the processor's cache, and memory is that of one block.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "graph/program.hpp"
#include "kernels/backend.hpp"
#include "study/trial.hpp"
#include "train/windows.hpp"

namespace isogrid::train {

/// How many sequences make a block of the trial: fixed for each kind of backend, since the bits of a gradient
/// may depend on it.
std::int64_t block_sequences(const study::Trial& trial, const kernels::Backend& backend);

/// The trial's graphs over one block.
graph::Graph training_graph(const study::Trial& trial, const kernels::Backend& backend);
graph::Graph evaluation_graph(const study::Trial& trial, const kernels::Backend& backend);

class Blocks {
  public:
    /// `graph` is one of the above; `parameters` as for graph::Program.
    Blocks(graph::Graph graph, kernels::Backend& backend,
           std::shared_ptr<graph::PackedParameters> parameters = nullptr);

    /// Runs `sequences` windows from `first` on and adds the sum of their losses (nats) to *loss, in the
    /// backend's memory; replaces `gradient` by the sum of the blocks' gradients (empty for an evaluation
    /// graph). The last block may be needed only in part but is read whole: the windows must be filled as
    /// far as that. `on_final` is told of the gradient while the last block runs.
    void run(const Windows& windows, std::int64_t first, std::int64_t sequences, std::span<float> gradient,
             double* loss, const graph::GradientsFinal& on_final = {});

    graph::Program& program() { return program_; }
    const graph::Program& program() const { return program_; }

  private:
    kernels::Backend* backend_;
    graph::Program program_;
};

}  // namespace isogrid::train
