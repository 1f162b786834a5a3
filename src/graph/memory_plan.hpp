// Where every tensor lives: parameters in one flat buffer, activations in one arena, before anything runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "graph/graph.hpp"

namespace isogrid::graph {

/// Offsets are in floats and multiples of 16, so that every tensor begins on a 64-byte boundary; of joined
/// parameters the first does, and the others follow it without a gap.
inline constexpr std::int64_t alignment_floats = 16;
constexpr std::int64_t aligned(std::int64_t floats) {
    return (floats + alignment_floats - 1) / alignment_floats * alignment_floats;
}

/// The flat buffer of weights; gradients and optimizer moments have the same layout. The gaps between tensors
/// stay zero.
struct ParameterLayout {
    std::vector<std::int64_t> offsets;  ///< in order of Graph::parameters()
    std::vector<std::int64_t> sizes;
    std::map<TensorId, std::int64_t> offset_of;  ///< parameters and joined ones
    std::int64_t floats = 0;
};
ParameterLayout lay_out_parameters(const Graph& graph);

/// Calls visit(packed_first, laid_first, size) for every parameter in their order: where its numbers begin
/// without the gaps between tensors, as archives have them, and where in the layout.
template <class Visit>
void for_each_tensor(const ParameterLayout& layout, Visit visit) {
    std::size_t packed_first = 0;
    for (std::size_t i = 0; i < layout.sizes.size(); ++i) {
        const auto size = static_cast<std::size_t>(layout.sizes[i]);
        visit(packed_first, static_cast<std::size_t>(layout.offsets[i]), size);
        packed_first += size;
    }
}

struct MemoryPlan {
    std::vector<std::int64_t> offsets;  ///< by tensor index; -1 for tensors that are not activations
    std::int64_t arena_floats = 0;
};

/// Gives activations offsets in an arena, sharing memory between tensors that never hold a value at the same
/// time: largest first, each at the lowest place that is free during its life. The losses live to the end.
MemoryPlan plan_memory(const Graph& graph);

}  // namespace isogrid::graph
