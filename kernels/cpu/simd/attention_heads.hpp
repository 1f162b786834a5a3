// Heads of attention as they lie among all others in activations, gathered and put back, a head of one
// sequence at a time. q and k are rotated by their positions on the way.
#pragma once

#include "kernels/cpu/simd/lanes.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

/// Sizes of one head.
struct HeadSize {
    int64_t context, width, padded_width;
    int64_t out_stride;  ///< elements from token to token in out; three times as many in qkv
    explicit HeadSize(const AttentionShape& shape)
        : context(shape.context),
          width(shape.head_width),
          padded_width(round_up_to_lanes(shape.head_width)),
          out_stride(shape.heads * shape.head_width) {}
    int64_t qkv_stride() const { return 3 * out_stride; }
};

/// Hands out the workspace piece by piece.
struct Pieces {
    float* next;
    float* take(int64_t floats) {
        float* piece = next;
        next += floats;
        return piece;
    }
};

/// Scores are kept in units of ln 2, so that the softmax is made of powers of 2.
constexpr float log2_of_e = 1.44269504088896341f, ln_of_2 = 0.69314718055994531f;

/// Queries whose softmax is kept whole on the way back; a multiple of the lanes.
constexpr int64_t group_queries = 128;
/// `count` tokens of a head, (count, width) with `stride`, to (count, to_stride), padded with zeros.
/// to_stride is a multiple of the lanes.
template <class From, class To>
void gather(const HeadSize& size, int64_t count, int64_t stride, const From* head, To* gathered,
            int64_t to_stride) {
    for (int64_t token = 0; token < count; ++token) {
        To* to = gathered + token * to_stride;
        for_lanes(size.width, [&](int64_t i, auto part) {
            store(to + i, load(head + token * stride + i, part), Full{});
        });
        for (int64_t i = size.padded_width; i < to_stride; i += lanes)
            store(to + i, broadcast(0.0f), Full{});
    }
}

/// Tokens first, first + 1, ... of q or k, rotated by their positions and multiplied by `factor`.
template <class From, class To>
void gather_rotated(const HeadSize& size, const RotaryTables& tables, int64_t first, int64_t count,
                    const From* head, float factor, To* gathered, int64_t to_stride) {
    const int64_t half = size.width / 2;
    const Lanes scale = broadcast(factor);
    for (int64_t token = 0; token < count; ++token) {
        const From* from = head + (first + token) * size.qkv_stride();
        const float* cosines = tables.cosines + (first + token) * half;
        const float* sines = tables.sines + (first + token) * half;
        To* to = gathered + token * to_stride;
        for (int64_t i = size.width; i < to_stride; ++i)
            to[i] = To{};
        for_lanes(half, [&](int64_t i, auto part) {
            const Lanes cosine = load(cosines + i, part), sine = load(sines + i, part);
            const Lanes x = load(from + i, part), y = load(from + half + i, part);
            store(to + i, scale * (x * cosine - y * sine), part);
            store(to + half + i, scale * (y * cosine + x * sine), part);
        });
    }
}

/// (count, padded_width) back to tokens first, first + 1, ... of v.
template <class Number>
void scatter(const HeadSize& size, int64_t first, int64_t count, const float* gathered, Number* head) {
    for (int64_t token = 0; token < count; ++token)
        for_lanes(size.width, [&](int64_t i, auto part) {
            store(head + (first + token) * size.qkv_stride() + i,
                  load(gathered + token * size.padded_width + i, part), part);
        });
}

/// The same of q or k, rotated back and multiplied by `factor`.
template <class Number>
void scatter_rotated(const HeadSize& size, const RotaryTables& tables, int64_t first, int64_t count,
                     const float* gathered, float factor, Number* head) {
    const int64_t half = size.width / 2;
    const Lanes scale = broadcast(factor);
    for (int64_t token = 0; token < count; ++token) {
        const float* from = gathered + token * size.padded_width;
        const float* cosines = tables.cosines + (first + token) * half;
        const float* sines = tables.sines + (first + token) * half;
        Number* to = head + (first + token) * size.qkv_stride();
        for_lanes(half, [&](int64_t i, auto part) {
            const Lanes cosine = load(cosines + i, part), sine = load(sines + i, part);
            const Lanes x = load(from + i, part), y = load(from + half + i, part);
            store(to + i, scale * (x * cosine + y * sine), part);
            store(to + half + i, scale * (y * cosine - x * sine), part);
        });
    }
}

/// What the derivative of one head reads and writes.
template <class Number>
struct HeadGradients {
    const Number *out_gradient, *q, *k, *v, *out;
    const float* log_sum;
    Number *q_gradient, *k_gradient, *v_gradient;
};

/// Calls work(offset of the head's first number in qkv, in out, offset of its log sums) for every head of
/// every sequence.
template <class Work>
void for_heads(const AttentionShape& shape, Work work) {
    const int64_t width = shape.heads * shape.head_width;
    for (int64_t sequence = 0; sequence < shape.batch; ++sequence)
        for (int64_t head = 0; head < shape.heads; ++head) {
            const int64_t token = sequence * shape.context, column = head * shape.head_width;
            work(token * 3 * width + column, token * width + column,
                 (sequence * shape.heads + head) * shape.context);
        }
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
