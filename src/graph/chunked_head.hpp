// Logits are the widest rows of a graph by far: where a graph has many rows, all of them at once would be
// most of its memory and of what it moves. Losses and gradients of rows do not depend on other rows, so a few
// at a time do.
#pragma once

#include <cstdint>

#include "graph/graph.hpp"

namespace isogrid::graph {

/// Puts one op in the place of the head's product, of the losses and, where `graph` was differentiated, of
/// both products behind them: it takes `rows` rows at a time. Nothing changes where the graph has no more
/// rows, or keeps its logits for others. Sums over rows (the gradient of the head's weights) are then added
/// up chunk after chunk.
void chunk_head(Graph& graph, std::int64_t rows);

}  // namespace isogrid::graph
