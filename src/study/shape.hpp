// The size of a proxy model, and how many parameters it has, part by part.
#pragma once

#include <cstdint>
#include <string>

namespace isogrid::study {

/// A decoder of the Llama kind. All sizes are counts of elements.
struct Shape {
    std::int64_t width = 0;       ///< residual stream
    std::int64_t depth = 0;       ///< layers
    std::int64_t heads = 0;       ///< attention heads; divides width
    std::int64_t mlp_width = 0;   ///< hidden units of the SwiGLU
    std::int64_t vocabulary = 0;  ///< token kinds
    std::int64_t context = 0;     ///< tokens a sequence
    bool tied_head = false;       ///< the head reuses the embedding's weights

    std::int64_t head_width() const { return width / heads; }
    bool operator==(const Shape&) const = default;
};

/// Parameters by part. Conventions of the field are sums of parts (docs/methods.md, "Counting parameters").
struct ParameterCounts {
    std::int64_t embedding = 0;
    std::int64_t head = 0;  ///< 0 when tied: the matrix is counted once, under embedding
    std::int64_t attention = 0;
    std::int64_t mlp = 0;
    std::int64_t norm = 0;

    std::int64_t total() const { return embedding + head + attention + mlp + norm; }
    /// Kaplan et al. 2020: everything but embedding and head.
    std::int64_t non_embedding() const { return attention + mlp + norm; }
    bool operator==(const ParameterCounts&) const = default;
};

ParameterCounts count_parameters(const Shape& shape);

/// `w64-d4-h4`: a name a person can read in a table.
std::string label(const Shape& shape);

}  // namespace isogrid::study
