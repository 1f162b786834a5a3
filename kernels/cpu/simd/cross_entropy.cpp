// The loss of next-token prediction and its derivative.
#include "kernels/cpu/simd.hpp"
#include "kernels/cpu/simd/lanes.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

namespace {

void cross_entropy(int64_t rows, int64_t columns, const float* logits, const TokenId* targets, float* losses,
                   float* log_sum) {
    for (int64_t row = 0; row < rows; ++row) {
        const float* values = logits + row * columns;
        Lanes tops = broadcast(-infinity);
        for_lanes(columns,
                  [&](int64_t i, auto part) { tops = maximum(tops, load_or_lowest(values + i, part)); });
        const float top = largest(tops);
        Lanes totals = broadcast(0.0f);
        for_lanes(columns, [&](int64_t i, auto part) {
            totals = totals + exponential(load_or_lowest(values + i, part) - broadcast(top));
        });
        const double total = double(top) + __builtin_log(double(sum(totals)));
        log_sum[row] = float(total);
        losses[row] = float(total - double(values[targets[row]]));
    }
}

void cross_entropy_backward(int64_t rows, int64_t columns, const float* logits, const TokenId* targets,
                            const float* log_sum, float scale, float* logits_gradient) {
    const Lanes factor = broadcast(scale);
    for (int64_t row = 0; row < rows; ++row) {
        const float* values = logits + row * columns;
        float* to = logits_gradient + row * columns;
        const Lanes total = broadcast(log_sum[row]);
        for_lanes(columns, [&](int64_t i, auto part) {
            store(to + i, factor * exponential(load(values + i, part) - total), part);
        });
        to[targets[row]] -= scale;
    }
}

}  // namespace

void provide_cross_entropy(Simd& simd) {
    simd.cross_entropy = cross_entropy;
    simd.cross_entropy_backward = cross_entropy_backward;
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
