// Closed forms for the parameters of a shape.
#include "study/shape.hpp"

namespace isogrid::study {

ParameterCounts count_parameters(const Shape& shape) {
    const std::int64_t vocabulary_matrix = shape.vocabulary * shape.width;
    return {
        .embedding = vocabulary_matrix,
        .head = shape.tied_head ? 0 : vocabulary_matrix,
        .attention = shape.depth * 4 * shape.width * shape.width,  // query, key, value, output
        .mlp = shape.depth * 3 * shape.width * shape.mlp_width,    // gate, up, down
        .norm = (2 * shape.depth + 1) * shape.width,               // two gains a layer and the final one
    };
}

std::string label(const Shape& shape) {
    return std::string("w") + std::to_string(shape.width) + "-d" + std::to_string(shape.depth) + "-h" +
           std::to_string(shape.heads);
}

}  // namespace isogrid::study
