// How a head's tokens stand in memory for attention on tiles, in blocks of 32 queries and 32 keys, and the
// products of such blocks.
//
// Everything is padded with zeros, tokens to whole blocks and the width to whole tiles. Padded keys come
// after every query, so they are masked as later ones are; padded queries are zero, and so are the gradients
// of what they would have read.
#pragma once

#include "kernels/cpu/simd/attention_heads.hpp"
#include "kernels/cpu/simd/tiles.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

/// Tokens of a block: two tiles of rows, or two lanes full.
constexpr int64_t block_tokens = 2 * lanes;

/// Sizes of a head on tiles.
struct TiledHead {
    int64_t tokens;  ///< the context, padded to whole blocks
    int64_t width;   ///< as rows or columns of tiles
    int64_t words;   ///< the width in words, as the steps of a sum
    explicit TiledHead(const HeadSize& size)
        : tokens((size.context + block_tokens - 1) / block_tokens * block_tokens),
          width(size.padded_width),
          words(round_up_to_lanes(words_of<Bfloat16Words>(size.width))) {}
    int64_t numbers() const { return 2 * words; }          ///< from token to token
    int64_t row_floats() const { return tokens * words; }  ///< what a head's rows take
};

/// Zeros in place of tokens that are not there.
inline void pad_tokens(const TiledHead& head, int64_t from, int64_t to, Bfloat16* rows) {
    for (int64_t i = from * head.numbers(); i < to * head.numbers(); i += lanes)
        store(rows + i, broadcast(0.0f), Full{});
}

/// A block's rows, (32, words), to right operands of a sum along the width: a panel of sixteen tokens after
/// the other, (words, 16).
inline void transpose_rows(const TiledHead& head, const Bfloat16* rows, float* panels) {
    const auto* from = reinterpret_cast<const float*>(rows);
    for (int64_t half = 0; half < 2; ++half)
        for (int64_t word = 0; word < head.words; word += lanes) {
            Lanes square[lanes];
            for (int64_t token = 0; token < lanes; ++token)
                square[token] = load(from + (half * lanes + token) * head.words + word, Full{});
            transpose(square);
            for (int64_t i = 0; i < lanes; ++i)
                store(panels + (half * head.words + word + i) * lanes, square[i], Full{});
        }
}

/// Rows of tokens to right operands of a sum along them: a panel of sixteen numbers after the other,
/// (tokens / 2, 16) words.
inline void pair_tokens(const TiledHead& head, int64_t tokens, const Bfloat16* rows, float* panels) {
    for (int64_t i = 0; i < head.width; i += lanes)
        for (int64_t token = 0; token < tokens; token += 2, panels += lanes) {
            const Bfloat16* even = rows + token * head.numbers() + i;
            store(panels, pair(even, even + head.numbers(), Full{}), Full{});
        }
}

/// Rows of tokens to left operands of a sum along them: (width, 16) words of each block, so that a tile is
/// sixteen rows of one block.
inline void transpose_pairs(const TiledHead& head, const Bfloat16* rows, float* blocks) {
    for (int64_t token = 0; token < head.tokens; token += block_tokens)
        for (int64_t i = 0; i < head.width; i += lanes) {
            Lanes square[lanes];
            for (int64_t step = 0; step < lanes; ++step) {
                const Bfloat16* even = rows + (token + 2 * step) * head.numbers() + i;
                square[step] = pair(even, even + head.numbers(), Full{});
            }
            transpose(square);
            for (int64_t row = 0; row < lanes; ++row, blocks += lanes)
                store(blocks, square[row], Full{});
        }
}

/// Scores (key, query) of a block's queries and the keys beside them: `value` in place of keys that are
/// later.
inline void mask_later(float value, float* scores) {
    for (int64_t key = 1; key < block_tokens; ++key) {
        float* row = scores + key * block_tokens;
        if (key < lanes)
            store(row, broadcast(value), Part(key));
        else
            store(row, broadcast(value), Full{});
        if (key > lanes) store(row + lanes, broadcast(value), Part(key - lanes));
    }
}

/// Of a block's queries (width, 32) back to tokens: query first + half 16 + i times its factor to
/// (16, padded width) rows.
inline void transpose_block(const TiledHead& head, int64_t half, const float* transposed, Lanes factors,
                            float* tokens) {
    for (int64_t i = 0; i < head.width; i += lanes) {
        Lanes square[lanes];
        for (int64_t column = 0; column < lanes; ++column)
            square[column] = factors * load(transposed + (i + column) * block_tokens + half * lanes, Full{});
        transpose(square);
        for (int64_t token = 0; token < lanes; ++token)
            store(tokens + token * head.width + i, square[token], Full{});
    }
}

/// Calls work(half, first query, number of queries) for the halves of a block of `count` queries.
template <class Work>
void for_halves(int64_t first, int64_t count, Work work) {
    for (int64_t half = 0; half < 2; ++half) {
        const int64_t left = count - half * lanes;
        if (left > 0) work(half, first + half * lanes, left < lanes ? left : lanes);
    }
}

/// Rows of a head from `token` on, as the left operand of a sum along the width.
inline LeftTiles rows_on_tiles(const Bfloat16* rows, int64_t words, int64_t token) {
    return {reinterpret_cast<const float*>(rows) + token * words, words, lanes};
}

/// sums (width, 32 queries) = columns over the first `keys` keys, as transpose_pairs leaves them, times two
/// panels of queries.
template <class Tiles>
void multiply_columns(Tiles& tiles, const TiledHead& head, int64_t keys, const float* columns, Right panels,
                      float* sums) {
    int64_t row = 0;
    for (; row + 2 * lanes <= head.width; row += 2 * lanes)
        multiply_whole<2, 2>(tiles, keys / 2, {columns + row * lanes, lanes, head.width * lanes}, panels,
                             sums + row * block_tokens, block_tokens, Write::replace);
    if (row < head.width)
        multiply_whole<1, 2>(tiles, keys / 2, {columns + row * lanes, lanes, head.width * lanes}, panels,
                             sums + row * block_tokens, block_tokens, Write::replace);
}

/// sums (32 keys, width) = or += rows over `steps` words times panels of the width.
template <class Tiles>
void multiply_rows(Tiles& tiles, const TiledHead& head, int64_t steps, LeftTiles rows, Right panels,
                   float* sums, Write mode) {
    int64_t column = 0;
    for (; column + 2 * lanes <= head.width; column += 2 * lanes, panels.data += 2 * panels.panel_stride)
        multiply_whole<2, 2>(tiles, steps, rows, panels, sums + column, head.width, mode);
    if (column < head.width)
        multiply_whole<2, 1>(tiles, steps, rows, panels, sums + column, head.width, mode);
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
