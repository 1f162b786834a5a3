// The models a benchmark trains: `d,layers,heads,context,batch,vocabulary;...`, as tools for other frameworks
// take them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fault.hpp"
#include "study/shape.hpp"

namespace isogrid::bench {

/// Small proxies up to where one step is seconds of a core, and one with a large vocabulary.
inline constexpr std::string_view default_shapes =
    "64,2,2,128,16,256;128,4,4,128,16,256;256,6,4,256,16,256;512,8,8,256,16,256;256,6,4,256,16,8192";

struct BenchShape {
    study::Shape shape;      ///< SwiGLU of 8 width / 3, rounded up to a multiple of 16; untied head
    std::int64_t batch = 0;  ///< sequences a step

    std::int64_t tokens_per_step() const { return batch * shape.context; }
    /// Parameters that are factors of products: six times as many FLOPs a token, look-ups and attention
    /// excluded.
    double product_parameters() const;
    std::string label() const;  ///< as it was written
};

/// All shapes of a list, or every fault of it.
base::Result<std::vector<BenchShape>> parse_shapes(std::string_view text);

}  // namespace isogrid::bench
