#include "graph/memory_plan.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <set>

namespace isogrid::graph {
namespace {

/// A piece of memory and the ops (first to last, by index) during which it holds a value. Tensors that
/// replace one another in place share one.
struct Piece {
    std::int64_t floats = 0;
    std::ptrdiff_t first = std::numeric_limits<std::ptrdiff_t>::max(), last = -1;
    std::int64_t offset = -1;

    bool lives_with(const Piece& other) const { return first <= other.last && other.first <= last; }
};

std::vector<std::ptrdiff_t> last_uses(const Graph& graph) {
    std::vector<std::ptrdiff_t> last(graph.tensors().size(), -1);
    for (std::size_t i = 0; i < graph.ops().size(); ++i) {
        for (const TensorId id : reads(graph.ops()[i]))
            last[id.index] = static_cast<std::ptrdiff_t>(i);
        for (const TensorId id : writes(graph.ops()[i]))
            last[id.index] = static_cast<std::ptrdiff_t>(i);
    }
    for (const TensorId id : graph.kept())
        last[id.index] = static_cast<std::ptrdiff_t>(graph.ops().size());
    if (graph.losses().valid()) last[graph.losses().index] = static_cast<std::ptrdiff_t>(graph.ops().size());
    return last;
}

}  // namespace

ParameterLayout lay_out_parameters(const Graph& graph) {
    std::set<TensorId> followed;  // by the next part of what they are joined to
    for (const auto& [whole, parts] : graph.joins())
        followed.insert(parts.begin(), parts.end() - 1);
    ParameterLayout layout;
    for (const TensorId id : graph.parameters()) {
        layout.offsets.push_back(layout.floats);
        layout.sizes.push_back(graph.tensor(id).size());
        layout.floats += layout.sizes.back();
        if (!followed.contains(id)) layout.floats = aligned(layout.floats);
    }
    for (std::size_t i = 0; i < layout.offsets.size(); ++i)
        layout.offset_of.emplace(graph.parameters()[i], layout.offsets[i]);
    for (const auto& [whole, parts] : graph.joins())
        layout.offset_of.emplace(whole, layout.offset_of.at(parts.front()));
    return layout;
}

MemoryPlan plan_memory(const Graph& graph) {
    const std::vector<std::ptrdiff_t> last = last_uses(graph);
    std::vector<Piece> pieces;
    std::vector<std::ptrdiff_t> piece_of(graph.tensors().size(), -1);

    for (std::size_t i = 0; i < graph.ops().size(); ++i) {
        const auto now = static_cast<std::ptrdiff_t>(i);
        const InPlace pair = in_place(graph.ops()[i]);
        for (const TensorId id : writes(graph.ops()[i])) {
            const Tensor& tensor = graph.tensor(id);
            if (tensor.space != Space::activation) continue;
            if (piece_of[id.index] < 0) {
                const bool takes_over = id == pair.output && pair.input.valid() &&
                                        piece_of[pair.input.index] >= 0 && last[pair.input.index] == now &&
                                        graph.tensor(pair.input).floats() == tensor.floats();
                if (takes_over) {
                    piece_of[id.index] = piece_of[pair.input.index];
                } else {
                    piece_of[id.index] = static_cast<std::ptrdiff_t>(pieces.size());
                    pieces.push_back({aligned(tensor.floats())});
                }
            }
            Piece& piece = pieces[piece_of[id.index]];
            piece.first = std::min(piece.first, now);
            piece.last = std::max(piece.last, last[id.index]);
        }
    }

    std::vector<std::size_t> order(pieces.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return pieces[a].floats > pieces[b].floats; });
    MemoryPlan plan;
    std::vector<const Piece*> placed;  // by offset, rising
    for (const std::size_t index : order) {
        Piece& piece = pieces[index];
        piece.offset = 0;
        for (const Piece* other : placed)
            if (piece.lives_with(*other) && piece.offset + piece.floats > other->offset)
                piece.offset = std::max(piece.offset, other->offset + other->floats);
        placed.insert(std::upper_bound(placed.begin(), placed.end(), &piece,
                                       [](const Piece* a, const Piece* b) { return a->offset < b->offset; }),
                      &piece);
        plan.arena_floats = std::max(plan.arena_floats, piece.offset + piece.floats);
    }
    plan.offsets.assign(graph.tensors().size(), -1);
    for (std::size_t i = 0; i < plan.offsets.size(); ++i)
        if (piece_of[i] >= 0) plan.offsets[i] = pieces[piece_of[i]].offset;
    return plan;
}

}  // namespace isogrid::graph
