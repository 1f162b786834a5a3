// The weights as programs read them: the flat buffer itself, and for products a copy laid out once a step.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>

#include "graph/graph.hpp"
#include "graph/memory_plan.hpp"
#include "kernels/backend.hpp"

namespace isogrid::graph {

class PackedParameters {
  public:
    /// Room for all weights that linear ops of `graph` multiply with. `backend` must outlive this.
    PackedParameters(const Graph& graph, kernels::Backend& backend);

    /// Packs `weights` (laid out as lay_out_parameters says) and keeps a reference to them: they must not
    /// move, and pack() must be called again after they change. Only packing the same weights again can be
    /// recorded.
    void pack(std::span<const float> weights);

    std::span<const float> weights() const { return weights_; }
    /// All packed copies, for a caller that updates weights and copies together.
    kernels::PackedCopies copies() const;
    /// The packed copy of the `rows` rows of weights at `offset` in the flat buffer.
    kernels::PackedWeights packed(std::int64_t offset, std::int64_t rows) const;

    /// Floats that the packed copies of a graph's weights take.
    static std::int64_t floats(const Graph& graph, const kernels::Backend& backend);

  private:
    struct Place {
        std::int64_t columns, offset;  ///< of the weights; in the storage
        kernels::PackedWeights packed;
    };

    kernels::Backend* backend_;
    kernels::Element element_;
    kernels::Storage storage_, all_packed_;  ///< the packed copies; all places' PackedWeights
    std::map<std::pair<std::int64_t, std::int64_t>, Place> places_;  ///< by offset and rows of the weights
    std::span<const float> weights_;
};

}  // namespace isogrid::graph
