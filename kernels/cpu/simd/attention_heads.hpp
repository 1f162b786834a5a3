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

/// Sixteen numbers, and zeros behind them up to `stride`, which is a multiple of the lanes.
inline void store_row(float* to, Lanes values, int64_t stride) {
    store(to, values, Full{});
    for (int64_t i = lanes; i < stride; i += lanes)
        store(to + i, broadcast(0.0f), Full{});
}
inline void store_row(Bfloat16* to, Lanes values, int64_t stride) {
    int64_t i = 0;
    if (stride >= 2 * lanes) {  // one store of a whole line, as who loads the line then does not wait for it
        store(reinterpret_cast<float*>(to), words(values, broadcast(0.0f)), Full{});
        i = 2 * lanes;
    } else {
        store(to, values, Full{});
        i = lanes;
    }
    for (; i < stride; i += lanes)
        store(to + i, broadcast(0.0f), Full{});
}

/// Thirty-two numbers.
inline void store_two(float* to, Lanes first, Lanes second) {
    store(to, first, Full{});
    store(to + lanes, second, Full{});
}
inline void store_two(Bfloat16* to, Lanes first, Lanes second) {
    store(reinterpret_cast<float*>(to), words(first, second), Full{});
}

/// `count` tokens of a head, (count, width) with `stride`, to (count, to_stride), padded with zeros.
/// to_stride is a multiple of the lanes.
template <class From, class To>
void gather(const HeadSize& size, int64_t count, int64_t stride, const From* head, To* gathered,
            int64_t to_stride) {
    for (int64_t token = 0; token < count; ++token, head += stride, gathered += to_stride) {
        if (size.width == lanes) {
            store_row(gathered, load(head, Full{}), to_stride);
            continue;
        }
        for_lanes(size.width,
                  [&](int64_t i, auto part) { store(gathered + i, load(head + i, part), Full{}); });
        for (int64_t i = size.padded_width; i < to_stride; i += lanes)
            store(gathered + i, broadcast(0.0f), Full{});
    }
}

/// Signs of the sines by which sixteen numbers turn, when the first eight are the one coordinate and the last
/// eight the other: `first` and -`first`.
inline Lanes signs_of_halves(float first) {
    alignas(64) float signs[lanes];
    for (int64_t i = 0; i < lanes; ++i)
        signs[i] = i < lanes / 2 ? first : -first;
    return load(signs, Full{});
}

/// A whole head of sixteen numbers, turned by one token's angles; bit for bit as by halves.
inline Lanes rotated_sixteen(Lanes numbers, const float* cosines, const float* sines, Lanes signs) {
    return numbers * load_twice(cosines) + swap_halves(numbers) * (signs * load_twice(sines));
}

/// Tokens first, first + 1, ... of q or k, rotated by their positions and multiplied by `factor`.
template <class From, class To>
void gather_rotated(const HeadSize& size, const RotaryTables& tables, int64_t first, int64_t count,
                    const From* head, float factor, To* gathered, int64_t to_stride) {
    const int64_t half = size.width / 2;
    const Lanes scale = broadcast(factor), signs = signs_of_halves(-1.0f);
    const From* from = head + first * size.qkv_stride();
    const float *cosines = tables.cosines + first * half, *sines = tables.sines + first * half;
    To* to = gathered;
    for (int64_t token = 0; token < count;
         ++token, from += size.qkv_stride(), cosines += half, sines += half, to += to_stride) {
        if (size.width == lanes) {
            store_row(to, scale * rotated_sixteen(load(from, Full{}), cosines, sines, signs), to_stride);
            continue;
        }
        for (int64_t i = size.width; i < to_stride; ++i)
            to[i] = To{};
        for_lanes(half, [&](int64_t i, auto part) {
            const Lanes cosine = load(cosines + i, part), sine = load(sines + i, part);
            const Lanes x = load(from + i, part), y = load(from + half + i, part);
            const Lanes one = scale * (x * cosine - y * sine), other = scale * (y * cosine + x * sine);
            if (half == lanes) return store_two(to, one, other);
            store(to + i, one, part);
            store(to + half + i, other, part);
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
    const Lanes scale = broadcast(factor), signs = signs_of_halves(1.0f);
    const float *cosines = tables.cosines + first * half, *sines = tables.sines + first * half;
    const float* from = gathered;
    Number* to = head + first * size.qkv_stride();
    for (int64_t token = 0; token < count;
         ++token, from += size.padded_width, cosines += half, sines += half, to += size.qkv_stride()) {
        if (size.width == lanes) {
            store(to, scale * rotated_sixteen(load(from, Full{}), cosines, sines, signs), Full{});
            continue;
        }
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
