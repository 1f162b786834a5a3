// The tensors of a graph: what they hold, and which memory they live in.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace isogrid::graph {

/// Index of a tensor in its graph.
struct TensorId {
    std::int32_t index = -1;

    bool valid() const { return index >= 0; }
    auto operator<=>(const TensorId&) const = default;
};

enum class Space {
    parameter,           ///< in the flat buffer of weights
    parameter_gradient,  ///< in the flat buffer of gradients, at the same offset as its parameter
    constant,            ///< filled once, when the program is made
    activation           ///< in the arena: its memory is another tensor's when nothing reads it any more
};

/// A float32 matrix, row-major. Vectors have one row.
struct Tensor {
    std::string name;
    std::int64_t rows = 0, columns = 0;
    Space space = Space::activation;

    std::int64_t size() const { return rows * columns; }
};

}  // namespace isogrid::graph
