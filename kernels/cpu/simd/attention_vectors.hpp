// Causal attention of one head, sixteen queries at a time, one in each lane: the softmax of a query runs down
// its lane, and keys after the last of the sixteen are never touched.
//
// Heads are first copied together as float32, rotated by their positions, their width padded with zeros to
// whole lanes. Operands of products are made from there: in float32 mostly the copy itself, in bfloat16 words
// paired along the sum that the product runs over.
#pragma once

#include "kernels/cpu/simd/attention_heads.hpp"
#include "kernels/cpu/simd/product.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

/// A head, and sixteen tokens of it.
inline int64_t head_floats(const HeadSize& size) {
    return size.context * size.padded_width;
}
inline int64_t square_floats(const HeadSize& size) {
    return lanes * size.padded_width;
}

inline int64_t vector_attention_floats(const HeadSize& size) {
    return 7 * head_floats(size) + size.padded_width + 4 * group_queries * size.padded_width +
           5 * square_floats(size) + 3 * (size.context + 1) * lanes + 2 * (size.context + 1) * group_queries;
}

/// Sixteen tokens (lanes, padded_width), those from `count` on counting as zero, to (padded_width, lanes).
inline void transpose_tokens(const HeadSize& size, int64_t count, const float* tokens, float* transposed) {
    for (int64_t i = 0; i < size.padded_width; i += lanes) {
        Lanes square[lanes];
        for (int64_t token = 0; token < lanes; ++token)
            square[token] =
                token < count ? load(tokens + token * size.padded_width + i, Full{}) : broadcast(0.0f);
        transpose(square);
        for (int64_t column = 0; column < lanes; ++column)
            store(transposed + (i + column) * lanes, square[column], Full{});
    }
}

/// (width, lanes), each lane times its factor, to sixteen tokens (lanes, padded_width).
inline void transpose_lanes(const HeadSize& size, const float* transposed, Lanes factors, float* tokens) {
    for (int64_t i = 0; i < size.padded_width; i += lanes) {
        Lanes square[lanes];
        for (int64_t column = 0; column < lanes; ++column)
            square[column] = i + column < size.width
                                 ? factors * load(transposed + (i + column) * lanes, Full{})
                                 : broadcast(0.0f);
        transpose(square);
        for (int64_t token = 0; token < lanes; ++token)
            store(tokens + token * size.padded_width + i, square[token], Full{});
    }
}

/// How operands are made of float32 matrices: as they are, or as words of bfloat16.
struct AsFloat32 : Float32Words {
    using Number = float;

    static Lanes exponential2(Lanes x) { return ISOGRID_ISA::exponential2(x); }
    /// Sixteen numbers of each of two rows of a matrix whose words run along its rows, from numbers i and j
    /// of the matrix on.
    static void put(float* matrix, int64_t i, int64_t j, Lanes even, Lanes odd) {
        store(matrix + i, even, Full{});
        store(matrix + j, odd, Full{});
    }
    /// Rows j and j + 1, j even, of a matrix (rows, lanes) whose words run along its columns.
    static void put_rows(float* matrix, int64_t j, Lanes even, Lanes odd) {
        store(matrix + j * lanes, even, Full{});
        store(matrix + (j + 1) * lanes, odd, Full{});
    }
    /// Words along each row. `to` has room for the matrix.
    static const float* along_rows(int64_t, int64_t, const float* from, float*) { return from; }
    /// Words along the columns: (rows, columns) to (words_of(rows), columns).
    static const float* along_columns(int64_t, int64_t, const float* from, float*) { return from; }
};
struct AsBfloat16 : Bfloat16Words {
    using Number = Bfloat16;

    static Lanes exponential2(Lanes x) { return rough_exponential2(x); }
    static void put(float* matrix, int64_t i, int64_t j, Lanes even, Lanes odd) {
        auto* numbers = reinterpret_cast<Bfloat16*>(matrix);
        store_halves(numbers + i, numbers + j, words(even, odd));
    }
    static void put_rows(float* matrix, int64_t j, Lanes even, Lanes odd) {
        store(matrix + j / 2 * lanes, pair(even, odd), Full{});
    }
    /// columns is a multiple of the lanes; the result has columns / 2 words a row.
    static const float* along_rows(int64_t rows, int64_t columns, const float* from, float* to) {
        auto* numbers = reinterpret_cast<Bfloat16*>(to);
        for (int64_t i = 0; i < rows * columns; i += lanes)
            store(numbers + i, load(from + i, Full{}), Full{});
        return to;
    }
    static const float* along_columns(int64_t rows, int64_t columns, const float* from, float* to) {
        for (int64_t row = 0; row < rows; row += 2)
            for (int64_t i = 0; i < columns; i += lanes) {
                const Lanes odd =
                    row + 1 < rows ? load(from + (row + 1) * columns + i, Full{}) : broadcast(0.0f);
                store(to + row / 2 * columns + i, pair(load(from + row * columns + i, Full{}), odd), Full{});
            }
        return to;
    }
};

/// Words along each of `columns` numbers, as the strides of a Left whose sum runs along its rows.
template <class Operands>
Left rows_of(const float* words, int64_t columns) {
    return {words, columns / Operands::numbers, 1};
}

/// Key first + j is later than the queries in the first j lanes: `value` takes the place of its scores.
inline void mask(int64_t first, int64_t seen, float value, float* scores) {
    for (int64_t j = 1; first + j < seen; ++j)
        store(scores + (first + j) * lanes, broadcast(value), Part(j));
}

/// The largest score in each lane.
inline Lanes largest_scores(int64_t seen, const float* scores) {
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

/// sums (rows, columns) = or += left right, columns a multiple of the lanes.
template <class Operands>
void multiply(int64_t rows, int64_t columns, int64_t numbers, Left left, const float* right, float* sums,
              Write mode) {
    product<Operands>(rows, columns, words_of<Operands>(numbers), left, {right, columns, lanes},
                      {.sums = sums, .stride = columns, .mode = mode});
}

template <class Operands>
void attend(const HeadSize& size, const RotaryTables& tables, float scale, const typename Operands::Number* q,
            const typename Operands::Number* k, const typename Operands::Number* v,
            typename Operands::Number* out, float* log_sum, float* workspace) {
    Pieces pieces{workspace};
    float *gathered = pieces.take(head_floats(size)), *packed_keys = pieces.take(head_floats(size));
    float *packed_values = pieces.take(head_floats(size) + size.padded_width),
          *values = pieces.take(head_floats(size));
    float *tokens = pieces.take(square_floats(size)), *queries = pieces.take(square_floats(size));
    float *packed_queries = pieces.take(square_floats(size)), *mixed = pieces.take(square_floats(size));
    float *scores = pieces.take((size.context + 1) * lanes),
          *weights = pieces.take((size.context + 1) * lanes);

    gather_rotated(size, tables, 0, size.context, k, 1.0f, gathered, size.padded_width);
    const Left keys = rows_of<Operands>(
        Operands::along_rows(size.context, size.padded_width, gathered, packed_keys), size.padded_width);
    gather(size, size.context, size.qkv_stride(), v, values, size.padded_width);
    const float* value_columns =
        Operands::along_columns(size.context, size.padded_width, values, packed_values);

    for (int64_t first = 0; first < size.context; first += lanes) {
        const int64_t count = size.context - first < lanes ? size.context - first : lanes;
        const int64_t seen = first + count;  // keys that the last of these queries sees
        gather_rotated(size, tables, first, count, q, scale * log2_of_e, tokens, size.padded_width);
        transpose_tokens(size, count, tokens, queries);
        multiply<Operands>(seen, lanes, size.width, keys,
                           Operands::along_columns(size.width, lanes, queries, packed_queries), scores,
                           Write::replace);
        mask(first, seen, -infinity, scores);
        const Lanes tops = largest_scores(seen, scores);
        Lanes totals = broadcast(0.0f);
        const auto weight_of = [&](int64_t j) {
            const Lanes weight = Operands::exponential2(load(scores + j * lanes, Full{}) - tops);
            totals = totals + weight;
            return weight;
        };
        int64_t j = 0;
        for (; j + 2 <= seen; j += 2) {
            const Lanes even = weight_of(j);
            Operands::put_rows(weights, j, even, weight_of(j + 1));
        }
        if (j < seen) Operands::put_rows(weights, j, weight_of(j), broadcast(0.0f));
        const Lanes log_sums = multiply_add(tops, broadcast(ln_of_2), logarithm(totals));
        for_lanes(count, [&](int64_t, auto part) { store(log_sum + first, log_sums, part); });
        multiply<Operands>(size.width, lanes, seen, {value_columns, 1, size.padded_width}, weights, mixed,
                           Write::replace);
        transpose_lanes(size, mixed, broadcast(1.0f) / totals, tokens);
        for (int64_t token = 0; token < count; ++token)
            for_lanes(size.width, [&](int64_t i, auto part) {
                store(out + (first + token) * size.out_stride + i,
                      load(tokens + token * size.padded_width + i, part), part);
            });
    }
}

/// With p = softmax(s): dv_j = sum_i p_ij dout_i, ds_ij = p_ij (dout_i . v_j - dout_i . out_i).
///
/// Queries go in groups of whose softmax and score gradients all are kept, so that the gradients of keys and
/// values are taken up and put down once a group.
template <class Operands>
void attend_backward(const HeadSize& size, const RotaryTables& tables, float scale,
                     const HeadGradients<typename Operands::Number>& head, float* workspace) {
    const int64_t group_numbers = group_queries * size.padded_width;
    Pieces pieces{workspace};
    float *keys = pieces.take(head_floats(size)), *values = pieces.take(head_floats(size));
    float *packed_keys = pieces.take(head_floats(size)), *packed_values = pieces.take(head_floats(size));
    float* paired_keys = pieces.take(head_floats(size) + size.padded_width);
    float *key_gradients = pieces.take(head_floats(size)), *value_gradients = pieces.take(head_floats(size));
    float *queries = pieces.take(group_numbers), *out_gradients = pieces.take(group_numbers);
    float *paired_queries = pieces.take(group_numbers), *paired_gradients = pieces.take(group_numbers);
    float *results = pieces.take(square_floats(size)), *transposed = pieces.take(square_floats(size));
    float *transposed_gradients = pieces.take(square_floats(size)),
          *packed = pieces.take(square_floats(size));
    float* scratch = pieces.take(square_floats(size));
    float* scores = pieces.take((size.context + 1) * lanes);
    float* score_gradients = pieces.take((size.context + 1) * lanes);
    float* columns = pieces.take((size.context + 1) * lanes);  // score gradients as words along the keys
    // (context, group): a key's row over the queries of the group
    float* group_weights = pieces.take((size.context + 1) * group_queries);
    float* group_gradients = pieces.take((size.context + 1) * group_queries);

    gather_rotated(size, tables, 0, size.context, head.k, 1.0f, keys, size.padded_width);
    gather(size, size.context, size.qkv_stride(), head.v, values, size.padded_width);
    const Left key_rows = rows_of<Operands>(
        Operands::along_rows(size.context, size.padded_width, keys, packed_keys), size.padded_width);
    const Left value_rows = rows_of<Operands>(
        Operands::along_rows(size.context, size.padded_width, values, packed_values), size.padded_width);
    const Left key_columns = {Operands::along_columns(size.context, size.padded_width, keys, paired_keys), 1,
                              size.padded_width};
    for (int64_t i = 0; i < head_floats(size); i += lanes) {
        store(key_gradients + i, broadcast(0.0f), Full{});
        store(value_gradients + i, broadcast(0.0f), Full{});
    }

    for (int64_t group = 0; group < size.context; group += group_queries) {
        const int64_t group_end = size.context < group + group_queries ? size.context : group + group_queries;
        for (int64_t first = group; first < group_end; first += lanes) {
            const int64_t count = group_end - first < lanes ? group_end - first : lanes;
            const int64_t seen = first + count, at = (first - group) * size.padded_width;
            gather_rotated(size, tables, first, count, head.q, scale * log2_of_e, queries + at,
                           size.padded_width);
            gather(size, count, size.out_stride, head.out_gradient + first * size.out_stride,
                   out_gradients + at, size.padded_width);
            gather(size, count, size.out_stride, head.out + first * size.out_stride, results,
                   size.padded_width);
            transpose_tokens(size, count, results, scratch);
            transpose_tokens(size, count, queries + at, transposed);
            transpose_tokens(size, count, out_gradients + at, transposed_gradients);
            Lanes means = broadcast(0.0f), log_sums = broadcast(0.0f);
            for (int64_t i = 0; i < size.width; ++i)
                means = multiply_add(load(transposed_gradients + i * lanes, Full{}),
                                     load(scratch + i * lanes, Full{}), means);
            for_lanes(count, [&](int64_t, auto part) {
                log_sums = broadcast(log2_of_e) * load(head.log_sum + first, part);
            });

            multiply<Operands>(seen, lanes, size.width, key_rows,
                               Operands::along_columns(size.width, lanes, transposed, packed), scores,
                               Write::replace);
            multiply<Operands>(seen, lanes, size.width, value_rows,
                               Operands::along_columns(size.width, lanes, transposed_gradients, packed),
                               score_gradients, Write::replace);
            mask(first, seen, -infinity, scores);
            // Two keys at once; one past an odd last one, for which there is room, never counts.
            if (seen % 2 != 0) {
                store(scores + seen * lanes, broadcast(-infinity), Full{});
                store(score_gradients + seen * lanes, broadcast(0.0f), Full{});
            }
            for (int64_t j = 0; j < seen; j += 2) {
                Lanes weights[2], gradients[2];
#pragma GCC unroll 2
                for (int64_t k = 0; k < 2; ++k) {
                    const int64_t at_key = (j + k) * lanes;
                    // Of huge scores, rounded, the difference may be any: 2^128 is infinity.
                    const Lanes power = minimum(broadcast(128.0f), load(scores + at_key, Full{}) - log_sums);
                    weights[k] = Operands::exponential2(power);
                    gradients[k] = weights[k] * (load(score_gradients + at_key, Full{}) - means);
                }
                const int64_t even = j * group_queries + first - group, odd = even + group_queries;
                Operands::put(group_weights, even, odd, weights[0], weights[1]);
                Operands::put(group_gradients, even, odd, gradients[0], gradients[1]);
                Operands::put_rows(columns, j, gradients[0], gradients[1]);
            }
            multiply<Operands>(size.width, lanes, seen, key_columns, columns, scratch, Write::replace);
            transpose_lanes(size, scratch, broadcast(scale), results);
            scatter_rotated(size, tables, first, count, results, 1.0f, head.q_gradient);
        }

        const int64_t count = group_end - group;
        const float* query_columns =
            Operands::along_columns(count, size.padded_width, queries, paired_queries);
        const float* gradient_columns =
            Operands::along_columns(count, size.padded_width, out_gradients, paired_gradients);
        for (int64_t key = 0; key < group_end; key += lanes) {
            const int64_t rows = group_end - key < lanes ? group_end - key : lanes;
            // The first query of the group that sees the first of these keys; a multiple of the lanes.
            const int64_t skipped = key > group ? key - group : 0;
            const int64_t corner = (key * group_queries + skipped) / Operands::numbers;
            const int64_t column = skipped / Operands::numbers * size.padded_width;
            multiply<Operands>(rows, size.padded_width, count - skipped,
                               rows_of<Operands>(group_gradients + corner, group_queries),
                               query_columns + column, key_gradients + key * size.padded_width, Write::add);
            multiply<Operands>(rows, size.padded_width, count - skipped,
                               rows_of<Operands>(group_weights + corner, group_queries),
                               gradient_columns + column, value_gradients + key * size.padded_width,
                               Write::add);
        }
    }
    scatter_rotated(size, tables, 0, size.context, key_gradients, ln_of_2, head.k_gradient);
    scatter(size, 0, size.context, value_gradients, head.v_gradient);
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
