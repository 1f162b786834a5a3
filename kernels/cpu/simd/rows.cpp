// Ops that treat each row (one token) apart: embedding, RMS normalization, rotary positions.
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

void rms_norm(int64_t rows, int64_t width, const float* x, const float* gain, float epsilon, float* out,
              float* inverse_rms) {
    for (int64_t row = 0; row < rows; ++row) {
        const float* from = x + row * width;
        float* to = out + row * width;
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

template <class Vector>
Vector read(const float* from) {
    Vector value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}

/// Rotates pairs from `i` on while whole Vectors of them are left; returns where it stopped. Half a head is
/// often four or eight numbers, for which sixteen lanes are too many.
template <class Vector>
int64_t rotate_pairs(int64_t i, int64_t half, const float* x, const float* cosines, const float* sines,
                     float sign, float* out) {
    constexpr int64_t count = sizeof(Vector) / sizeof(float);
    for (; i + count <= half; i += count) {
        const Vector cosine = read<Vector>(cosines + i), sine = sign * read<Vector>(sines + i);
        const Vector first = read<Vector>(x + i), second = read<Vector>(x + half + i);
        const Vector new_first = first * cosine - second * sine, new_second = second * cosine + first * sine;
        __builtin_memcpy(out + i, &new_first, sizeof new_first);
        __builtin_memcpy(out + half + i, &new_second, sizeof new_second);
    }
    return i;
}

void rotary(int64_t rows, const RotaryShape& shape, const float* x, const float* cosines, const float* sines,
            bool inverse, float* out) {
    const int64_t half = shape.head_width / 2;
    const float sign = inverse ? -1.0f : 1.0f;
    for (int64_t row = 0; row < rows; ++row) {
        const float* row_cosines = cosines + row % shape.context * half;
        const float* row_sines = sines + row % shape.context * half;
        for (int64_t head = 0; head < shape.heads; ++head) {
            const int64_t start = (row * shape.heads + head) * shape.head_width;
            int64_t i = 0;
            i = rotate_pairs<__m256>(i, half, x + start, row_cosines, row_sines, sign, out + start);
            i = rotate_pairs<__m128>(i, half, x + start, row_cosines, row_sines, sign, out + start);
            rotate_pairs<float>(i, half, x + start, row_cosines, row_sines, sign, out + start);
        }
    }
}

}  // namespace

void provide_rows(Simd& simd) {
    simd.embedding = embedding;
    simd.embedding_backward = embedding_backward;
    simd.rms_norm = rms_norm;
    simd.rms_norm_backward = rms_norm_backward;
    simd.rotary = rotary;
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
