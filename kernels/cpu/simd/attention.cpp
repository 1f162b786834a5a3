// Causal attention, one head of one sequence at a time, sixteen queries at a time; keys after the last of
// the sixteen are never touched. Each head is copied into the workspace with its context and width padded
// with zeros to whole lanes, keys (and, backward, values) transposed as well.
#include "kernels/cpu/simd.hpp"
#include "kernels/cpu/simd/lanes.hpp"
#include "kernels/cpu/simd/tile_product.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

namespace {

constexpr int64_t block = lanes;  // queries at a time

/// Sizes of one head: as given, and padded to whole lanes.
struct HeadSize {
    int64_t context, width, padded_context, padded_width, stride;
    explicit HeadSize(const AttentionShape& shape)
        : context(shape.context),
          width(shape.head_width),
          padded_context(round_up_to_lanes(shape.context)),
          padded_width(round_up_to_lanes(shape.head_width)),
          stride(shape.heads * shape.head_width) {}
    int64_t size() const { return padded_context * padded_width; }
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
    return 7 * size.size() + 2 * block * size.padded_context + block * size.padded_width + block;
}

/// factor * a head, (context, width) strided, to (padded_context, padded_width) contiguous.
void pack(const HeadSize& size, const float* head, float factor, float* packed) {
    const Lanes factors = broadcast(factor);
    for (int64_t token = 0; token < size.context; ++token) {
        float* to = packed + token * size.padded_width;
        for_lanes(size.width, [&](int64_t i, auto part) {
            store(to + i, factors * load(head + token * size.stride + i, part), Full{});
        });
    }
    for (int64_t i = size.context * size.padded_width; i < size.size(); i += lanes)
        store(packed + i, broadcast(0.0f), Full{});
}

/// A head, (context, width) strided, to (padded_width, padded_context) contiguous.
void pack_transposed(const HeadSize& size, const float* head, float* packed) {
    for (int64_t first = 0; first < size.context; first += lanes)
        for_lanes(size.width, [&](int64_t i, auto part) {
            Lanes square[lanes];
            for (int64_t row = 0; row < lanes; ++row) {
                const int64_t token = first + row;
                square[row] =
                    token < size.context ? load(head + token * size.stride + i, part) : broadcast(0.0f);
            }
            transpose(square);
            for (int64_t column = 0; column < lanes; ++column)
                store(packed + (i + column) * size.padded_context + first, square[column], Full{});
        });
}

/// factor * rows of `packed` to `count` tokens of a head.
void unpack(const HeadSize& size, int64_t count, const float* packed, float factor, float* head) {
    const Lanes factors = broadcast(factor);
    for (int64_t token = 0; token < count; ++token)
        for_lanes(size.width, [&](int64_t i, auto part) {
            const Lanes value = load(packed + token * size.padded_width + i, part);
            store(head + token * size.stride + i, factors * value, part);
        });
}

/// Turns scores[0, visible) into exp(score - shift) and what follows in the last lanes into 0; their sum.
float exponentials(float* scores, int64_t visible, float shift) {
    Lanes totals = broadcast(0.0f);
    for_lanes(visible, [&](int64_t j, auto part) {
        const Lanes value = exponential(load_or_lowest(scores + j, part) - broadcast(shift));
        store(scores + j, value, Full{});
        totals = totals + value;
    });
    return sum(totals);
}

float largest_of(const float* scores, int64_t visible) {
    Lanes tops = broadcast(-infinity);
    for_lanes(visible, [&](int64_t j, auto part) { tops = maximum(tops, load_or_lowest(scores + j, part)); });
    return largest(tops);
}

void attend(const HeadSize& size, float scale, const float* q, const float* k, const float* v, float* out,
            float* log_sum, float* workspace) {
    Pieces pieces{workspace};
    float* queries = pieces.take(size.size());
    float* transposed_keys = pieces.take(size.size());
    float* values = pieces.take(size.size());
    float* scores = pieces.take(block * size.padded_context);
    float* mixed = pieces.take(block * size.padded_width);
    pack(size, q, scale, queries);
    pack_transposed(size, k, transposed_keys);
    pack(size, v, 1.0f, values);

    for (int64_t first = 0; first < size.context; first += block) {
        const int64_t seen = first + block;  // keys that the block's last query sees
        product(block, seen, size.width, {queries + first * size.padded_width, size.padded_width, 1},
                transposed_keys, size.padded_context, scores, size.padded_context, Write::replace);
        float shifts[block], totals[block];
        for (int64_t row = 0; row < block; ++row) {
            float* row_scores = scores + row * size.padded_context;
            const int64_t visible = first + row + 1;
            shifts[row] = largest_of(row_scores, visible);
            totals[row] = exponentials(row_scores, visible, shifts[row]);
        }
        const int64_t count = block < size.context - first ? block : size.context - first;
        for_lanes(count, [&](int64_t, auto part) {
            store(log_sum + first, load(shifts, Full{}) + logarithm(load(totals, Full{})), part);
        });
        product(block, size.padded_width, seen, {scores, size.padded_context, 1}, values, size.padded_width,
                mixed, size.padded_width, Write::replace);
        for (int64_t row = 0; row < block && first + row < size.context; ++row)
            unpack(size, 1, mixed + row * size.padded_width, 1.0f / totals[row],
                   out + (first + row) * size.stride);
    }
}

/// With p = softmax(s): dv_j = sum_i p_ij dout_i, ds_ij = p_ij (dout_i . v_j - dout_i . out_i).
struct HeadGradients {
    const float *out_gradient, *q, *k, *v, *out, *log_sum;
    float *q_gradient, *k_gradient, *v_gradient;
};

float dot(const HeadSize& size, const float* a, const float* b) {
    Lanes products = broadcast(0.0f);
    for_lanes(size.width, [&](int64_t i, auto part) {
        products = multiply_add(load(a + i, part), load(b + i, part), products);
    });
    return sum(products);
}

void attend_backward(const HeadSize& size, float scale, const HeadGradients& head, float* workspace) {
    const int64_t context = size.padded_context, width = size.padded_width;
    Pieces pieces{workspace};
    float* queries = pieces.take(size.size());
    float* keys = pieces.take(size.size());
    float* transposed_keys = pieces.take(size.size());
    float* transposed_values = pieces.take(size.size());
    float* out_gradients = pieces.take(size.size());
    float* key_gradients = pieces.take(size.size());
    float* value_gradients = pieces.take(size.size());
    float* weights = pieces.take(block * context);
    float* score_gradients = pieces.take(block * context);
    float* query_gradients = pieces.take(block * width);
    pack(size, head.q, scale, queries);
    pack(size, head.k, 1.0f, keys);
    pack_transposed(size, head.k, transposed_keys);
    pack_transposed(size, head.v, transposed_values);
    pack(size, head.out_gradient, 1.0f, out_gradients);
    for (int64_t i = 0; i < size.size(); i += lanes) {
        store(key_gradients + i, broadcast(0.0f), Full{});
        store(value_gradients + i, broadcast(0.0f), Full{});
    }

    for (int64_t first = 0; first < size.context; first += block) {
        const int64_t seen = first + block;
        const float* block_queries = queries + first * width;
        const float* block_gradients = out_gradients + first * width;
        product(block, seen, size.width, {block_queries, width, 1}, transposed_keys, context, weights,
                context, Write::replace);
        product(block, seen, size.width, {block_gradients, width, 1}, transposed_values, context,
                score_gradients, context, Write::replace);
        for (int64_t row = 0; row < block; ++row) {
            const int64_t token = first + row;
            const bool real = token < size.context;  // the gradients of padding are zero
            float* row_weights = weights + row * context;
            float* row_gradients = score_gradients + row * context;
            exponentials(row_weights, token + 1, real ? head.log_sum[token] : 0.0f);
            const float mean =
                real ? dot(size, head.out_gradient + token * size.stride, head.out + token * size.stride)
                     : 0.0f;
            for (int64_t j = 0; j < seen; j += lanes) {
                const Lanes weight = load(row_weights + j, Full{});
                store(row_gradients + j, weight * (load(row_gradients + j, Full{}) - broadcast(mean)),
                      Full{});
            }
        }
        product(block, width, seen, {score_gradients, context, 1}, keys, width, query_gradients, width,
                Write::replace);
        const int64_t count = size.context - first < block ? size.context - first : block;
        unpack(size, count, query_gradients, scale, head.q_gradient + first * size.stride);
        product(seen, width, block, {score_gradients, 1, context}, block_queries, width, key_gradients, width,
                Write::add);
        product(seen, width, block, {weights, 1, context}, block_gradients, width, value_gradients, width,
                Write::add);
    }
    unpack(size, size.context, key_gradients, 1.0f, head.k_gradient);
    unpack(size, size.context, value_gradients, 1.0f, head.v_gradient);
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
