#include "study/ladder.hpp"

#include <algorithm>
#include <cmath>

namespace isogrid::study {

std::vector<Shape> ladder_shapes(const Ladder& ladder, std::int64_t vocabulary) {
    std::vector<Shape> shapes;
    for (const std::int64_t width : ladder.widths) {
        const auto real_width = static_cast<double>(width);
        Shape shape;
        shape.width = width;
        shape.depth = ladder.depth > 0
                          ? ladder.depth
                          : std::max<std::int64_t>(1, std::llround(real_width / ladder.aspect_ratio));
        shape.heads = width / ladder.head_width;
        // One part in 10,000 is forgiven, so that a ratio written 2.6667 gives what 8/3 gives.
        shape.mlp_width = 8 * std::llround(std::ceil(ladder.mlp_ratio * real_width / 8 * (1 - 1e-4)));
        shape.vocabulary = vocabulary;
        shape.context = ladder.context;
        shape.tied_head = ladder.tied_head;
        shapes.push_back(shape);
    }
    return shapes;
}

}  // namespace isogrid::study
