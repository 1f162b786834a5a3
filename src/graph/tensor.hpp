// The tensors of a graph: what they hold, and which memory they live in.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "kernels/backend.hpp"

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

/// A row-major matrix. Vectors have one row.
struct Tensor {
    std::string name;
    std::int64_t rows = 0, columns = 0;
    Space space = Space::activation;
    kernels::Element element = kernels::Element::float32;  ///< bfloat16 only for activations

    std::int64_t size() const { return rows * columns; }
    std::int64_t floats() const { return kernels::floats_of(rows, columns, element); }  ///< of memory
};

}  // namespace isogrid::graph
