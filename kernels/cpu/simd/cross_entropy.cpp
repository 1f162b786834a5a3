// The loss of next-token prediction and its derivative.
#include "kernels/cpu/simd.hpp"
#include "kernels/cpu/simd/lanes.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

namespace {

/// The largest of scale * values.
float largest_scaled(int64_t columns, const float* values, Lanes scale) {
    Lanes tops = broadcast(-infinity);
    for_lanes(columns,
              [&](int64_t i, auto part) { tops = maximum(tops, scale * load_or_lowest(values + i, part)); });
    return largest(tops);
}

/// The sum of exp(scale * value - top), each also stored to `exponentials` where that is not null.
float sum_of_exponentials(int64_t columns, const float* values, Lanes scale, float top, float* exponentials) {
    Lanes totals = broadcast(0.0f);
    for_lanes(columns, [&](int64_t i, auto part) {
        const Lanes value = exponential(scale * load_or_lowest(values + i, part) - broadcast(top));
        totals = totals + value;
        if (exponentials != nullptr) store(exponentials + i, value, part);
    });
    return sum(totals);
}

/// The C library's logarithm of a sum. Its instructions may be of the older encoding, each of which waits for
/// the upper halves of the registers if they hold something, and the compiler does not always empty them.
double log_of_sum(float total) {
    _mm256_zeroupper();
    return __builtin_log(double(total));
}

void cross_entropy(int64_t rows, int64_t columns, const float* logits, const TokenId* targets,
                   float logit_scale, float* losses) {
    const Lanes scale = broadcast(logit_scale);
    for (int64_t row = 0; row < rows; ++row, logits += columns) {
        const float top = largest_scaled(columns, logits, scale);
        const float total = sum_of_exponentials(columns, logits, scale, top, nullptr);
        losses[row] = float(double(top) + log_of_sum(total) - double(logit_scale * logits[targets[row]]));
    }
}

void store_number(float* to, float value) {
    *to = value;
}
void store_number(Bfloat16* to, float value) {
    store(to, broadcast(value), Part(1));
}

template <class Number>
void gradients(int64_t rows, int64_t columns, int64_t stride, float* logits, const TokenId* targets,
               float logit_scale, float loss_scale, float* losses, Number* logits_gradient) {
    const Lanes scale = broadcast(logit_scale);
    const float whole = loss_scale * logit_scale;
    for (int64_t row = 0; row < rows; ++row, logits += columns, logits_gradient += stride) {
        const TokenId target = targets[row];
        const float top = largest_scaled(columns, logits, scale);
        const double wanted = double(logit_scale * logits[target]);
        const float total = sum_of_exponentials(columns, logits, scale, top, logits);
        losses[row] = float(double(top) + log_of_sum(total) - wanted);
        const float share = whole / total, of_target = logits[target] * share - whole;
        const Lanes factor = broadcast(share);
        for_lanes(columns, [&](int64_t i, auto part) {
            store(logits_gradient + i, factor * load(logits + i, part), part);
        });
        store_number(logits_gradient + target, of_target);
        if (stride > columns) store_number(logits_gradient + columns, 0.0f);
    }
}

void cross_entropy_gradient(int64_t rows, int64_t columns, float* logits, const TokenId* targets,
                            float logit_scale, float loss_scale, float* losses, Element element,
                            void* logits_gradient) {
    if (element == Element::float32)
        gradients(rows, columns, columns, logits, targets, logit_scale, loss_scale, losses,
                  static_cast<float*>(logits_gradient));
    else
        gradients(rows, columns, (columns + 1) / 2 * 2, logits, targets, logit_scale, loss_scale, losses,
                  static_cast<Bfloat16*>(logits_gradient));
}

}  // namespace

void provide_cross_entropy(Simd& simd) {
    simd.cross_entropy = cross_entropy;
    simd.cross_entropy_gradient = cross_entropy_gradient;
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
