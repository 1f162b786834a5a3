// Closed forms for the cost of training on one token.
#include "study/flops.hpp"

#include <stdexcept>

namespace isogrid::study {

std::string_view name(FlopConvention convention) {
    switch (convention) {
        case FlopConvention::six_n:
            return "six_n";
        case FlopConvention::matmul:
            return "matmul";
        case FlopConvention::attention:
            return "attention";
        case FlopConvention::exact:
            return "exact";
    }
    throw std::invalid_argument("no such FLOP convention");
}

double FlopsPerToken::under(FlopConvention convention) const {
    switch (convention) {
        case FlopConvention::six_n:
            return six_n;
        case FlopConvention::matmul:
            return matmul;
        case FlopConvention::attention:
            return attention;
        case FlopConvention::exact:
            return exact;
    }
    throw std::invalid_argument("no such FLOP convention");
}

FlopsPerToken count_flops(const Shape& shape, double exact) {
    const ParameterCounts counts = count_parameters(shape);
    // A tied head has no parameters of its own, yet its matrix multiplies every token.
    const std::int64_t head_weights = shape.vocabulary * shape.width;
    const std::int64_t multiplying = counts.attention + counts.mlp + head_weights;

    // A token sees (context + 1) / 2 keys on average. Each costs 2 x width FLOPs for its score and as many
    // for its share of the output; the backward pass costs twice the forward pass.
    const std::int64_t attention_scores = 6 * shape.depth * shape.width * (shape.context + 1);

    FlopsPerToken flops;
    flops.six_n = 6.0 * static_cast<double>(counts.total());
    flops.matmul = 6.0 * static_cast<double>(multiplying);
    flops.attention = flops.matmul + static_cast<double>(attention_scores);
    flops.exact = exact;
    return flops;
}

}  // namespace isogrid::study
