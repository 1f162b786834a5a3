// The backward pass, derived from the forward pass op by op.
#pragma once

#include "graph/graph.hpp"

namespace isogrid::graph {

/// Appends to `graph` the ops that compute the gradient of loss_scale * sum(losses) with respect to every
/// parameter, by reverse accumulation. `graph` must end in cross_entropy() and hold no backward ops yet.
void differentiate(Graph& graph, float loss_scale);

}  // namespace isogrid::graph
