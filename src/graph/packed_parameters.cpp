#include "graph/packed_parameters.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <set>
#include <variant>
#include <vector>

namespace isogrid::graph {
namespace {

/// Weights of the graph's linear ops, each once.
std::set<TensorId> multiplied_weights(const Graph& graph) {
    std::set<TensorId> ids;
    for (const Op& op : graph.ops()) {
        if (const auto* linear = std::get_if<Linear>(&op)) ids.insert(linear->weights);
        if (const auto* head = std::get_if<ChunkedHead>(&op)) ids.insert(head->weights);
        if (const auto* head = std::get_if<ChunkedHeadGradient>(&op)) ids.insert(head->weights);
    }
    return ids;
}

std::int64_t floats_of(const Tensor& weights, const Graph& graph, const kernels::Backend& backend) {
    return aligned(backend.packed_floats(weights.rows, weights.columns, graph.element()));
}

}  // namespace

std::int64_t PackedParameters::floats(const Graph& graph, const kernels::Backend& backend) {
    std::int64_t total = 0;
    for (const TensorId id : multiplied_weights(graph))
        total += floats_of(graph.tensor(id), graph, backend);
    return total;
}

PackedParameters::PackedParameters(const Graph& graph, kernels::Backend& backend)
    : backend_(&backend), element_(graph.element()) {
    const ParameterLayout layout = lay_out_parameters(graph);
    std::int64_t offset = 0;
    for (const TensorId id : multiplied_weights(graph)) {
        const Tensor& weights = graph.tensor(id);
        places_.emplace(std::pair(layout.offset_of.at(id), weights.rows), Place{weights.columns, offset, {}});
        offset += floats_of(weights, graph, backend);
    }
    storage_ = backend.allocate(static_cast<std::size_t>(std::max<std::int64_t>(offset, 1)) * sizeof(float));
    all_packed_ = backend.allocate(std::max<std::size_t>(places_.size(), 1) * sizeof(kernels::PackedWeights));
}

void PackedParameters::pack(std::span<const float> weights) {
    if (weights.data() == weights_.data()) {
        backend_->pack_weights_again(copies());
        return;
    }
    weights_ = weights;
    std::vector<kernels::PackedWeights> all;
    for (auto& [key, place] : places_) {
        const auto [offset, rows] = key;
        place.packed = backend_->pack_weights({weights.data() + offset, rows, place.columns}, element_,
                                              reinterpret_cast<float*>(storage_.get()) + place.offset);
        all.push_back(place.packed);
    }
    backend_->copy_in(all_packed_.get(), all.data(), all.size() * sizeof(kernels::PackedWeights));
}

kernels::PackedCopies PackedParameters::copies() const {
    return {{reinterpret_cast<const kernels::PackedWeights*>(all_packed_.get()), places_.size()}, element_};
}

kernels::PackedWeights PackedParameters::packed(std::int64_t offset, std::int64_t rows) const {
    assert(!weights_.empty());
    return places_.at({offset, rows}).packed;
}

}  // namespace isogrid::graph
