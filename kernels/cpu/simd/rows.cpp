// Ops that treat each row (one token) apart: embedding, RMS normalization.
#include "kernels/cpu/simd.hpp"
#include "kernels/cpu/simd/lanes.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

namespace {

void embedding(const TokenId* ids, int64_t rows, int64_t width, const float* table, float scale, float* out) {
    const Lanes factor = broadcast(scale);
    for (int64_t row = 0; row < rows; ++row) {
        const float* from = table + ids[row] * width;
        float* to = out + row * width;
        for_lanes(width, [&](int64_t i, auto part) { store(to + i, factor * load(from + i, part), part); });
    }
}

void embedding_backward(const TokenId* ids, int64_t rows, int64_t width, const float* out_gradient,
                        float scale, float* table_gradient) {
    const Lanes factor = broadcast(scale);
    for (int64_t row = 0; row < rows; ++row) {
        const float* from = out_gradient + row * width;
        float* to = table_gradient + ids[row] * width;
        for_lanes(width, [&](int64_t i, auto part) {
            store(to + i, load(to + i, part) + factor * load(from + i, part), part);
        });
    }
}

template <class Number>
void normalize(int64_t rows, int64_t width, const float* x, const float* gain, float epsilon, Number* out,
               float* inverse_rms) {
    for (int64_t row = 0; row < rows; ++row) {
        const float* from = x + row * width;
        Number* to = out + row * width;
        Lanes squares = broadcast(0.0f);
        for_lanes(width, [&](int64_t i, auto part) {
            const Lanes value = load(from + i, part);
            squares = multiply_add(value, value, squares);
        });
        inverse_rms[row] = 1.0f / __builtin_sqrtf(sum(squares) / float(width) + epsilon);
        const Lanes inverse = broadcast(inverse_rms[row]);
        for_lanes(width, [&](int64_t i, auto part) {
            store(to + i, load(from + i, part) * inverse * load(gain + i, part), part);
        });
    }
}

void rms_norm(int64_t rows, int64_t width, const float* x, const float* gain, float epsilon, Element element,
              void* out, float* inverse_rms) {
    if (element == Element::float32)
        normalize(rows, width, x, gain, epsilon, static_cast<float*>(out), inverse_rms);
    else
        normalize(rows, width, x, gain, epsilon, static_cast<Bfloat16*>(out), inverse_rms);
}

void rms_norm_backward(int64_t rows, int64_t width, const float* out_gradient, const float* x,
                       const float* gain, const float* inverse_rms, float* x_gradient, Write x_mode,
                       float* gain_gradient) {
    for (int64_t row = 0; row < rows; ++row) {
        const float* values = x + row * width;
        const float* gradients = out_gradient + row * width;
        float* to = x_gradient + row * width;
        const Lanes inverse = broadcast(inverse_rms[row]);
        Lanes projections = broadcast(0.0f);
        for_lanes(width, [&](int64_t i, auto part) {
            const Lanes product = load(gradients + i, part) * load(values + i, part);
            projections = multiply_add(product, load(gain + i, part), projections);
            store(gain_gradient + i, multiply_add(product, inverse, load(gain_gradient + i, part)), part);
        });
        const float square = inverse_rms[row] * inverse_rms[row];
        const Lanes pull = broadcast(-sum(projections) * square / float(width));
        for_lanes(width, [&](int64_t i, auto part) {
            const Lanes straight = load(gradients + i, part) * load(gain + i, part);
            const Lanes result = inverse * multiply_add(load(values + i, part), pull, straight);
            store(to + i, x_mode == Write::add ? load(to + i, part) + result : result, part);
        });
    }
}

}  // namespace

void provide_rows(Simd& simd) {
    simd.embedding = embedding;
    simd.embedding_backward = embedding_backward;
    simd.rms_norm = rms_norm;
    simd.rms_norm_backward = rms_norm_backward;
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
