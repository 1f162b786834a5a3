// Causal attention of one head in bfloat16 on tiles, 32 queries and 32 keys at a time. Scores are kept with a
// query a lane, as in attention_vectors.hpp: the softmax runs down the lanes, and what it leaves is an
// operand of the next product with words paired along the keys, or along the queries, as it comes.
#pragma once

#include "kernels/cpu/simd/attention_blocks.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

inline int64_t tiled_attention_floats(const HeadSize& size) {
    const TiledHead head(size);
    const int64_t block = block_tokens * head.words, group = group_queries * head.words;
    const int64_t forward = 2 * head.row_floats() + head.width * head.tokens / 2 + 2 * block +
                            block_tokens * head.width + (block_tokens + lanes) * head.tokens +
                            lanes * head.width;
    const int64_t backward = 2 * head.row_floats() + head.width * head.tokens / 2 +
                             2 * head.tokens * head.width + 2 * group + 2 * group_queries / 2 * head.width +
                             3 * block + block_tokens * head.width + 2 * block_tokens * block_tokens +
                             lanes * head.tokens + group_queries * head.tokens;
    return forward > backward ? forward : backward;
}

template <class Tiles>
void attend_on_tiles(Tiles& tiles, const HeadSize& size, const RotaryTables& tables, float scale,
                     const Bfloat16* q, const Bfloat16* k, const Bfloat16* v, Bfloat16* out, float* log_sum,
                     float* workspace) {
    const TiledHead head(size);
    Pieces pieces{workspace};
    auto* keys = reinterpret_cast<Bfloat16*>(pieces.take(head.row_floats()));
    auto* values = reinterpret_cast<Bfloat16*>(pieces.take(head.row_floats()));
    float* value_columns = pieces.take(head.width * head.tokens / 2);
    auto* queries = reinterpret_cast<Bfloat16*>(pieces.take(block_tokens * head.words));
    float* query_panels = pieces.take(block_tokens * head.words);
    float* mixed = pieces.take(block_tokens * head.width);
    float* scores = pieces.take(block_tokens * head.tokens);
    float* weights = pieces.take(lanes * head.tokens);  // two panels of sixteen queries, words along the keys
    float* tokens = pieces.take(lanes * head.width);

    gather_rotated(size, tables, 0, size.context, k, 1.0f, keys, head.numbers());
    pad_tokens(head, size.context, head.tokens, keys);
    gather(size, size.context, size.qkv_stride(), v, values, head.numbers());
    pad_tokens(head, size.context, head.tokens, values);
    transpose_pairs(head, values, value_columns);

    for (int64_t first = 0; first < size.context; first += block_tokens) {
        const int64_t count = size.context - first < block_tokens ? size.context - first : block_tokens;
        const int64_t seen = first + block_tokens;
        gather_rotated(size, tables, first, count, q, scale * log2_of_e, queries, head.numbers());
        pad_tokens(head, count, block_tokens, queries);
        transpose_rows(head, queries, query_panels);
        for (int64_t key = 0; key < seen; key += block_tokens)
            multiply_whole<2, 2>(tiles, head.words, rows_on_tiles(keys, head.words, key),
                                 {query_panels, lanes, head.words * lanes}, scores + key * block_tokens,
                                 block_tokens, Write::replace);
        mask_later(-infinity, scores + first * block_tokens);

        Lanes tops[2], totals[2];
        for (int64_t half = 0; half < 2; ++half) {
            tops[half] = broadcast(-infinity);
            totals[half] = broadcast(0.0f);
        }
        for (int64_t key = 0; key < seen; ++key)
            for (int64_t half = 0; half < 2; ++half)
                tops[half] = maximum(tops[half], load(scores + key * block_tokens + half * lanes, Full{}));
        for (int64_t key = 0; key < seen; key += 2)
            for (int64_t half = 0; half < 2; ++half) {
                const float* even = scores + key * block_tokens + half * lanes;
                const Lanes one = rough_exponential2(load(even, Full{}) - tops[half]);
                const Lanes other = rough_exponential2(load(even + block_tokens, Full{}) - tops[half]);
                totals[half] = totals[half] + (one + other);
                store(weights + (half * head.tokens / 2 + key / 2) * lanes, pair(one, other), Full{});
            }

        const Right weight_panels = {weights, lanes, head.tokens / 2 * lanes};
        multiply_columns(tiles, head, seen, value_columns, weight_panels, mixed);
        for_halves(first, count, [&](int64_t half, int64_t query, int64_t queries_of_half) {
            const Lanes log_sums = multiply_add(tops[half], broadcast(ln_of_2), logarithm(totals[half]));
            for_lanes(queries_of_half, [&](int64_t, auto part) { store(log_sum + query, log_sums, part); });
            transpose_block(head, half, mixed, broadcast(1.0f) / totals[half], tokens);
            for (int64_t token = 0; token < queries_of_half; ++token)
                for_lanes(size.width, [&](int64_t i, auto part) {
                    store(out + (query + token) * size.out_stride + i,
                          load(tokens + token * head.width + i, part), part);
                });
        });
    }
}

/// sum over i of a_i b_i of each of up to sixteen tokens, (count, width) with `stride`, a token a lane.
inline Lanes products_of_tokens(const HeadSize& size, int64_t count, const Bfloat16* a, const Bfloat16* b) {
    Lanes square[lanes];
    for (int64_t token = 0; token < lanes; ++token) {
        square[token] = broadcast(0.0f);
        if (token < count)
            for_lanes(size.width, [&](int64_t i, auto part) {
                const int64_t at = token * size.out_stride + i;
                square[token] = multiply_add(load(a + at, part), load(b + at, part), square[token]);
            });
    }
    transpose(square);
    for (int64_t step = lanes / 2; step > 0; step /= 2)
        for (int64_t i = 0; i < step; ++i)
            square[i] = square[i] + square[i + step];
    return square[0];
}

/// As attend_backward (attention_vectors.hpp).
template <class Tiles>
void attend_backward_on_tiles(Tiles& tiles, const HeadSize& size, const RotaryTables& tables, float scale,
                              const HeadGradients<Bfloat16>& all, float* workspace) {
    const TiledHead head(size);
    constexpr int64_t group_words = group_queries / 2;
    Pieces pieces{workspace};
    auto* keys = reinterpret_cast<Bfloat16*>(pieces.take(head.row_floats()));
    auto* values = reinterpret_cast<Bfloat16*>(pieces.take(head.row_floats()));
    float* key_columns = pieces.take(head.width * head.tokens / 2);
    float* key_gradients = pieces.take(head.tokens * head.width);
    float* value_gradients = pieces.take(head.tokens * head.width);
    auto* queries = reinterpret_cast<Bfloat16*>(pieces.take(group_queries * head.words));
    auto* out_gradients = reinterpret_cast<Bfloat16*>(pieces.take(group_queries * head.words));
    float* paired_queries = pieces.take(group_words * head.width);
    float* paired_gradients = pieces.take(group_words * head.width);
    float* query_panels = pieces.take(block_tokens * head.words);
    float* gradient_panels = pieces.take(block_tokens * head.words);
    float* query_gradients = pieces.take(block_tokens * head.width);
    float* tokens = pieces.take(block_tokens * head.words);
    float* scores = pieces.take(block_tokens * block_tokens);
    float* score_gradients = pieces.take(block_tokens * block_tokens);
    float* columns = pieces.take(lanes * head.tokens);  // score gradients as words along the keys
    // (tokens, group): a key's row over the queries of the group, in words
    float* group_weights = pieces.take(head.tokens * group_words);
    float* group_gradients = pieces.take(head.tokens * group_words);

    gather_rotated(size, tables, 0, size.context, all.k, 1.0f, keys, head.numbers());
    pad_tokens(head, size.context, head.tokens, keys);
    gather(size, size.context, size.qkv_stride(), all.v, values, head.numbers());
    pad_tokens(head, size.context, head.tokens, values);
    transpose_pairs(head, keys, key_columns);

    for (int64_t group = 0; group < head.tokens; group += group_queries) {
        const int64_t group_end = head.tokens < group + group_queries ? head.tokens : group + group_queries;
        const int64_t group_count = (size.context < group_end ? size.context : group_end) - group;
        gather_rotated(size, tables, group, group_count, all.q, scale * log2_of_e, queries, head.numbers());
        pad_tokens(head, group_count, group_end - group, queries);
        gather(size, group_count, size.out_stride, all.out_gradient + group * size.out_stride, out_gradients,
               head.numbers());
        pad_tokens(head, group_count, group_end - group, out_gradients);

        for (int64_t first = group; first < group_end; first += block_tokens) {
            const int64_t count = size.context - first < block_tokens ? size.context - first : block_tokens;
            const int64_t seen = first + block_tokens;
            transpose_rows(head, queries + (first - group) * head.numbers(), query_panels);
            transpose_rows(head, out_gradients + (first - group) * head.numbers(), gradient_panels);
            Lanes means[2], log_sums[2];
            for (int64_t half = 0; half < 2; ++half)
                means[half] = log_sums[half] = broadcast(0.0f);
            for_halves(first, count, [&](int64_t half, int64_t query, int64_t queries_of_half) {
                const int64_t at = query * size.out_stride;
                means[half] = products_of_tokens(size, queries_of_half, all.out_gradient + at, all.out + at);
                for_lanes(queries_of_half, [&](int64_t, auto part) {
                    log_sums[half] = broadcast(log2_of_e) * load(all.log_sum + query, part);
                });
            });

            for (int64_t key = 0; key < seen; key += block_tokens) {
                multiply_whole<2, 2>(tiles, head.words, rows_on_tiles(keys, head.words, key),
                                     {query_panels, lanes, head.words * lanes}, scores, block_tokens,
                                     Write::replace);
                multiply_whole<2, 2>(tiles, head.words, rows_on_tiles(values, head.words, key),
                                     {gradient_panels, lanes, head.words * lanes}, score_gradients,
                                     block_tokens, Write::replace);
                if (key == first) mask_later(-infinity, scores);
                float* weight_rows = group_weights + key * group_words + (first - group) / 2;
                float* gradient_rows = group_gradients + key * group_words + (first - group) / 2;
                for (int64_t j = 0; j < block_tokens; j += 2) {
                    Lanes weights[2][2], gradients[2][2];
#pragma GCC unroll 2
                    for (int64_t odd = 0; odd < 2; ++odd)
#pragma GCC unroll 2
                        for (int64_t half = 0; half < 2; ++half) {
                            const int64_t at = (j + odd) * block_tokens + half * lanes;
                            weights[odd][half] =
                                rough_exponential2(load(scores + at, Full{}) - log_sums[half]);
                            gradients[odd][half] =
                                weights[odd][half] * (load(score_gradients + at, Full{}) - means[half]);
                        }
#pragma GCC unroll 2
                    for (int64_t odd = 0; odd < 2; ++odd) {
                        const int64_t row = (j + odd) * group_words;
                        store(weight_rows + row, words(weights[odd][0], weights[odd][1]), Full{});
                        store(gradient_rows + row, words(gradients[odd][0], gradients[odd][1]), Full{});
                    }
#pragma GCC unroll 2
                    for (int64_t half = 0; half < 2; ++half)
                        store(columns + (half * head.tokens / 2 + (key + j) / 2) * lanes,
                              pair(gradients[0][half], gradients[1][half]), Full{});
                }
            }

            multiply_columns(tiles, head, seen, key_columns, {columns, lanes, head.tokens / 2 * lanes},
                             query_gradients);
            for_halves(first, count, [&](int64_t half, int64_t query, int64_t queries_of_half) {
                transpose_block(head, half, query_gradients, broadcast(scale), tokens);
                scatter_rotated(size, tables, query, queries_of_half, tokens, 1.0f, all.q_gradient);
            });
        }

        pair_tokens(head, group_end - group, queries, paired_queries);
        pair_tokens(head, group_end - group, out_gradients, paired_gradients);
        const int64_t panel = (group_end - group) / 2 * lanes;
        for (int64_t key = 0; key < group_end; key += block_tokens) {
            // Queries of the group that come before these keys see none of them.
            const int64_t skipped = key > group ? (key - group) / 2 : 0, steps = (group_end - group) / 2;
            const Write mode = group == 0 || key >= group ? Write::replace : Write::add;
            const auto add = [&](const float* group_rows, const float* paired, float* gradients) {
                multiply_rows(tiles, head, steps - skipped,
                              {group_rows + key * group_words + skipped, group_words, lanes},
                              {paired + skipped * lanes, lanes, panel}, gradients + key * head.width, mode);
            };
            add(group_gradients, paired_queries, key_gradients);
            add(group_weights, paired_gradients, value_gradients);
        }
    }
    scatter_rotated(size, tables, 0, size.context, key_gradients, ln_of_2, all.k_gradient);
    scatter(size, 0, size.context, value_gradients, all.v_gradient);
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
