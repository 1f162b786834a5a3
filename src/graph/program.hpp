// A graph made ready to run on a backend: memory planned and allocated once, every op bound to its addresses.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "graph/graph.hpp"
#include "graph/memory_plan.hpp"
#include "graph/packed_parameters.hpp"
#include "kernels/backend.hpp"

namespace isogrid::graph {

/// Seconds by the name of the op (graph/ops.hpp).
using OpSeconds = std::map<std::string_view, double>;

/// Told while a run goes on: gradients from `first` on, in the parameters' layout, are what they will be.
/// `first` falls from call to call.
using GradientsFinal = std::function<void(std::int64_t first)>;

class Program {
  public:
    /// Allocates the arena. `parameters` are those of this graph or of one with the same parameters, and may
    /// be shared with other programs; none: the program's own. `backend` must outlive the program.
    Program(Graph graph, kernels::Backend& backend, std::shared_ptr<PackedParameters> parameters = nullptr);

    /// Runs every op once, with the weights last packed. inputs and targets hold graph.rows() tokens;
    /// gradients have the parameters' layout and are replaced or added to (they may be empty for a graph
    /// without backward ops). Allocates nothing.
    void run(std::span<const kernels::TokenId> inputs, std::span<const kernels::TokenId> targets,
             std::span<float> gradients, kernels::Write gradient_mode = kernels::Write::replace,
             const GradientsFinal& on_final = {});

    /// From now on run() adds the seconds that each kind of op takes to `seconds`, which must outlive the
    /// runs, and waits for a card to know them; none: no longer.
    void time_ops(OpSeconds* seconds);

    /// The last run's losses in nats, one for each row; in the backend's memory.
    std::span<const float> losses() const;

    /// A float32 activation of the last run that the graph keeps (Graph::keep), in the backend's memory.
    std::span<const float> values(TensorId tensor) const;

    const Graph& graph() const { return graph_; }
    const ParameterLayout& layout() const { return layout_; }
    const std::shared_ptr<PackedParameters>& parameters() const { return parameters_; }

  private:
    Graph graph_;
    kernels::Backend* backend_;
    ParameterLayout layout_;
    std::shared_ptr<PackedParameters> parameters_;
    kernels::Storage arena_, constants_, workspace_;
    std::vector<std::int64_t> offsets_;     ///< by tensor index, in floats, inside the tensor's space
    std::vector<std::int64_t> final_from_;  ///< by op: gradients from there on are final once it has run
    OpSeconds* op_seconds_ = nullptr;
    std::unique_ptr<kernels::Stopwatch> stopwatch_;  ///< where they are asked for
};

/// Floats that Program allocates for a graph, before it does: arena, constants and workspace. The packed
/// parameters come on top.
std::int64_t program_floats(const Graph& graph, const kernels::Backend& backend);

}  // namespace isogrid::graph
