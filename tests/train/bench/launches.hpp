// How an op comes to a card: as which launches, of how many blocks. Counted as kernels/cuda launches them; a
// test compares them with what an emulated card is asked for. Needs no card.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.hpp"
#include "graph/ops.hpp"

namespace isogrid::bench {

/// A kernel, a product or a memset.
struct Launch {
    enum class Kind { kernel, product, clearing };
    Kind kind = Kind::kernel;
    double blocks = 1;
    double share = 0;  ///< of the op's work; none for helpers
};

/// Of the op in a graph that replaces its gradients. Blocks of products are a guess, as cuBLASLt chooses them
/// where the card is: one for 128 x 128 numbers of the result, and parts of the sum of 512 terms or more
/// where these are fewer than multiprocessors.
std::vector<Launch> launches_of(const graph::Op& op, const graph::Graph& graph);

/// What ends a step of so many blocks of rows: clearing of sums, sums of losses, the gradient's norm, closing
/// and AdamW, over the parameters that stand in so many tensors.
std::vector<Launch> launches_around(double blocks, double rows, double parameters, double tensors);

inline constexpr double multiprocessors = 132;  ///< of an H100 SXM5

/// The share of the multiprocessors that have something to do, by the shares of the launches' work.
double filled(const std::vector<Launch>& launches);

}  // namespace isogrid::bench
