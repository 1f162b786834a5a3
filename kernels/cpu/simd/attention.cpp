// Causal attention, one head of one sequence at a time and sixteen queries at a time, one in each lane: the
// softmax of a query runs down its lane, and keys after the last of the sixteen are never touched. Heads are
// first copied together, their width padded with zeros to whole lanes.
#include "kernels/cpu/simd.hpp"
#include "kernels/cpu/simd/lanes.hpp"
#include "kernels/cpu/simd/tile_product.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

namespace {

/// Sizes of one head.
struct HeadSize {
    int64_t context, width, padded_width, stride;
    explicit HeadSize(const AttentionShape& shape)
        : context(shape.context),
          width(shape.head_width),
          padded_width(round_up_to_lanes(shape.head_width)),
          stride(shape.heads * shape.head_width) {}
    int64_t size() const { return context * padded_width; }
    int64_t square() const { return lanes * padded_width; }
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

int64_t workspace_floats(const AttentionShape& shape) {
    const HeadSize size(shape);
    return 4 * size.size() + 5 * size.square() + 2 * size.context * lanes;
}

/// factor * `count` tokens of a head, (count, width) strided, to (count, padded_width) contiguous.
void pack(const HeadSize& size, int64_t count, const float* head, float factor, float* packed) {
    const Lanes factors = broadcast(factor);
    for (int64_t token = 0; token < count; ++token)
        for_lanes(size.width, [&](int64_t i, auto part) {
            store(packed + token * size.padded_width + i,
                  factors * load(head + token * size.stride + i, part), Full{});
        });
}

void unpack(const HeadSize& size, const float* packed, float* head) {
    for (int64_t token = 0; token < size.context; ++token)
        for_lanes(size.width, [&](int64_t i, auto part) {
            store(head + token * size.stride + i, load(packed + token * size.padded_width + i, part), part);
        });
}

/// factor * `count` (at most sixteen) tokens of a head to (padded_width, lanes), the other lanes zero.
void pack_transposed(const HeadSize& size, int64_t count, const float* head, float factor, float* packed) {
    for_lanes(size.width, [&](int64_t i, auto part) {
        Lanes square[lanes];
        for (int64_t token = 0; token < lanes; ++token)
            square[token] = token < count ? broadcast(factor) * load(head + token * size.stride + i, part)
                                          : broadcast(0.0f);
        transpose(square);
        for (int64_t column = 0; column < lanes; ++column)
            store(packed + (i + column) * lanes, square[column], Full{});
    });
}

/// (width, lanes), each lane times its factor, to `count` tokens of a head.
void unpack_transposed(const HeadSize& size, int64_t count, const float* packed, Lanes factors, float* head) {
    for_lanes(size.width, [&](int64_t i, auto part) {
        Lanes square[lanes];
        for (int64_t column = 0; column < lanes; ++column)
            square[column] = i + column < size.width ? factors * load(packed + (i + column) * lanes, Full{})
                                                     : broadcast(0.0f);
        transpose(square);
        for (int64_t token = 0; token < count; ++token)
            store(head + token * size.stride + i, square[token], part);
    });
}

/// Key first + j is later than the queries in the first j lanes: `value` takes the place of its scores.
void mask(int64_t first, int64_t seen, float value, float* scores) {
    for (int64_t j = 1; first + j < seen; ++j)
        store(scores + (first + j) * lanes, broadcast(value), Part(j));
}

/// The largest score in each lane.
Lanes largest_scores(int64_t seen, const float* scores) {
    Lanes tops[4];  // four at once: one maximum need not wait for the one before
    for (Lanes& top : tops)
        top = broadcast(-infinity);
    int64_t j = 0;
    for (; j + 4 <= seen; j += 4)
#pragma GCC unroll 4
        for (int64_t k = 0; k < 4; ++k)
            tops[k] = maximum(tops[k], load(scores + (j + k) * lanes, Full{}));
    for (; j < seen; ++j)
        tops[0] = maximum(tops[0], load(scores + j * lanes, Full{}));
    return maximum(maximum(tops[0], tops[1]), maximum(tops[2], tops[3]));
}

void attend(const HeadSize& size, float scale, const float* q, const float* k, const float* v, float* out,
            float* log_sum, float* workspace) {
    Pieces pieces{workspace};
    float* keys = pieces.take(size.size());
    float* values = pieces.take(size.size());
    float* queries = pieces.take(size.square());  // (width, lanes)
    float* mixed = pieces.take(size.square());    // (width, lanes)
    float* scores = pieces.take(size.context * lanes);
    pack(size, size.context, k, 1.0f, keys);
    pack(size, size.context, v, 1.0f, values);

    for (int64_t first = 0; first < size.context; first += lanes) {
        const int64_t count = size.context - first < lanes ? size.context - first : lanes;
        const int64_t seen = first + count;  // keys that the last of these queries sees
        pack_transposed(size, count, q + first * size.stride, scale, queries);
        product(seen, lanes, size.width, {keys, size.padded_width, 1}, queries, lanes, scores, lanes,
                Write::replace);
        mask(first, seen, -infinity, scores);
        const Lanes tops = largest_scores(seen, scores);
        Lanes totals = broadcast(0.0f);
        for (int64_t j = 0; j < seen; ++j) {
            const Lanes weight = exponential(load(scores + j * lanes, Full{}) - tops);
            store(scores + j * lanes, weight, Full{});
            totals = totals + weight;
        }
        const Lanes log_sums = tops + logarithm(totals);
        for_lanes(count, [&](int64_t, auto part) { store(log_sum + first, log_sums, part); });
        product(size.width, lanes, seen, {values, 1, size.padded_width}, scores, lanes, mixed, lanes,
                Write::replace);
        unpack_transposed(size, count, mixed, broadcast(1.0f) / totals, out + first * size.stride);
    }
}

/// What the derivative of one head reads and writes.
struct HeadGradients {
    const float *out_gradient, *q, *k, *v, *out, *log_sum;
    float *q_gradient, *k_gradient, *v_gradient;
};

/// With p = softmax(s): dv_j = sum_i p_ij dout_i, ds_ij = p_ij (dout_i . v_j - dout_i . out_i).
void attend_backward(const HeadSize& size, float scale, const HeadGradients& head, float* workspace) {
    Pieces pieces{workspace};
    float* keys = pieces.take(size.size());
    float* values = pieces.take(size.size());
    float* key_gradients = pieces.take(size.size());
    float* value_gradients = pieces.take(size.size());
    float* queries = pieces.take(size.square());                   // (lanes, width)
    float* transposed_queries = pieces.take(size.square());        // (width, lanes)
    float* out_gradients = pieces.take(size.square());             // (lanes, width)
    float* transposed_out_gradients = pieces.take(size.square());  // (width, lanes)
    float* scratch = pieces.take(size.square());                   // (width, lanes)
    float* weights = pieces.take(size.context * lanes);
    float* score_gradients = pieces.take(size.context * lanes);
    pack(size, size.context, head.k, 1.0f, keys);
    pack(size, size.context, head.v, 1.0f, values);
    for (int64_t i = 0; i < size.size(); i += lanes) {
        store(key_gradients + i, broadcast(0.0f), Full{});
        store(value_gradients + i, broadcast(0.0f), Full{});
    }

    for (int64_t first = 0; first < size.context; first += lanes) {
        const int64_t count = size.context - first < lanes ? size.context - first : lanes;
        const int64_t seen = first + count, at = first * size.stride;
        pack(size, count, head.q + at, scale, queries);
        pack(size, count, head.out_gradient + at, 1.0f, out_gradients);
        pack_transposed(size, count, head.q + at, scale, transposed_queries);
        pack_transposed(size, count, head.out_gradient + at, 1.0f, transposed_out_gradients);
        pack_transposed(size, count, head.out + at, 1.0f, scratch);
        Lanes means = broadcast(0.0f), log_sums = broadcast(0.0f);
        for (int64_t i = 0; i < size.width; ++i)
            means = multiply_add(load(transposed_out_gradients + i * lanes, Full{}),
                                 load(scratch + i * lanes, Full{}), means);
        for_lanes(count, [&](int64_t, auto part) { log_sums = load(head.log_sum + first, part); });

        product(seen, lanes, size.width, {keys, size.padded_width, 1}, transposed_queries, lanes, weights,
                lanes, Write::replace);
        product(seen, lanes, size.width, {values, size.padded_width, 1}, transposed_out_gradients, lanes,
                score_gradients, lanes, Write::replace);
        mask(first, seen, -infinity, weights);
        for (int64_t j = 0; j < seen; ++j) {
            const Lanes weight = exponential(load(weights + j * lanes, Full{}) - log_sums);
            store(weights + j * lanes, weight, Full{});
            const Lanes gradient = load(score_gradients + j * lanes, Full{}) - means;
            store(score_gradients + j * lanes, weight * gradient, Full{});
        }
        product(size.width, lanes, seen, {keys, 1, size.padded_width}, score_gradients, lanes, scratch, lanes,
                Write::replace);
        unpack_transposed(size, count, scratch, broadcast(scale), head.q_gradient + at);
        product(seen, size.padded_width, count, {score_gradients, lanes, 1}, queries, size.padded_width,
                key_gradients, size.padded_width, Write::add);
        product(seen, size.padded_width, count, {weights, lanes, 1}, out_gradients, size.padded_width,
                value_gradients, size.padded_width, Write::add);
    }
    unpack(size, key_gradients, head.k_gradient);
    unpack(size, value_gradients, head.v_gradient);
}

/// Calls work(offset of the head's first number, offset of its log sums) for every head of every sequence.
template <class Work>
void for_heads(const AttentionShape& shape, Work work) {
    for (int64_t sequence = 0; sequence < shape.batch; ++sequence)
        for (int64_t head = 0; head < shape.heads; ++head)
            work((sequence * shape.context * shape.heads + head) * shape.head_width,
                 (sequence * shape.heads + head) * shape.context);
}

void attention(const AttentionShape& shape, const float* q, const float* k, const float* v, float* out,
               float* log_sum, float* workspace) {
    const HeadSize size(shape);
    for_heads(shape, [&](int64_t at, int64_t row) {
        attend(size, shape.scale, q + at, k + at, v + at, out + at, log_sum + row, workspace);
    });
}

void attention_backward(const AttentionShape& shape, const float* out_gradient, const float* q,
                        const float* k, const float* v, const float* out, const float* log_sum,
                        float* q_gradient, float* k_gradient, float* v_gradient, float* workspace) {
    const HeadSize size(shape);
    for_heads(shape, [&](int64_t at, int64_t row) {
        attend_backward(size, shape.scale,
                        {out_gradient + at, q + at, k + at, v + at, out + at, log_sum + row, q_gradient + at,
                         k_gradient + at, v_gradient + at},
                        workspace);
    });
}

}  // namespace

void provide_attention(Simd& simd) {
    simd.attention_workspace = workspace_floats;
    simd.attention = attention;
    simd.attention_backward = attention_backward;
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
