// Products c = a b whose sums stay in registers. Every sum is one chain of fused multiply-adds over rising
// steps, whatever the tiles: the bits depend on neither the sizes of tiles nor how often a sum is put down
// and taken up again, and are the same under every instruction set. (Under amx, linear layers and
// attention multiply bfloat16 as tiled_product.hpp does.)
//
// Operands are read in words of four bytes: a float32, or a pair of bfloat16 that are neighbours along the
// steps of the sum. What differs between the two is one instruction.
#pragma once

#include "kernels/cpu/simd/lanes.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

struct Float32Words {
    static constexpr int64_t numbers = 1;  ///< in a word
    static Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return ISOGRID_ISA::multiply_add(a, b, c); }
};
struct Bfloat16Words {
    static constexpr int64_t numbers = 2;
    static Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return multiply_add_pairs(a, b, c); }
};

/// Words that hold `numbers` numbers along a row or column.
template <class Words>
constexpr int64_t words_of(int64_t numbers) {
    return (numbers + Words::numbers - 1) / Words::numbers;
}

/// The left operand, read a word at a time: (row, step) stands at data[row * row_stride + step *
/// step_stride], and one of the strides is 1.
struct Left {
    const float* data;
    int64_t row_stride, step_stride;
};

/// The right operand, read a vector at a time: sixteen columns of panel p at
/// data[step * step_stride + p * panel_stride]. Columns past the last whole panel are not read, unless
/// zeros fill up the last panel, and the last sixteen steps.
struct Right {
    const float* data;
    int64_t step_stride, panel_stride;
    bool fills_tiles = false;
};

/// Where the sums go: a float32 matrix (to be replaced or added to, or to get an addend of the same form), or
/// a bfloat16 one.
struct Target {
    float* sums = nullptr;
    Bfloat16* rounded = nullptr;
    int64_t stride = 0;
    Write mode = Write::replace;
    const float* addend = nullptr;
};

template <class Words, bool by_rows, int rows, int panels, class Columns>
[[gnu::always_inline]] inline void tile_product(int64_t steps, Left left, Right right, Target target,
                                                int64_t row, int64_t column, Columns columns) {
    Lanes sums[rows][panels];
    const int64_t corner = row * target.stride + column;
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 16
        for (int p = 0; p < panels; ++p)
            sums[i][p] = target.mode == Write::add
                             ? load(target.sums + corner + i * target.stride + p * lanes, columns)
                             : broadcast(0.0f);

    // Rows by fours, so that their addresses are a base and a small multiple of the stride.
    const int64_t row_stride = by_rows ? left.row_stride : 1;
    const int64_t step_stride = by_rows ? 1 : left.step_stride;
    const float* fours[(rows + 3) / 4];
#pragma GCC unroll 16
    for (int i = 0; i < (rows + 3) / 4; ++i)
        fours[i] = left.data + (row + 4 * i) * row_stride;
    const float* from = right.data + column / lanes * right.panel_stride;
    for (int64_t step = 0; step < steps; ++step) {
        Lanes b[panels];
#pragma GCC unroll 16
        for (int p = 0; p < panels; ++p)
            b[p] = load(from + p * right.panel_stride, columns);
#pragma GCC unroll 16
        for (int i = 0; i < rows; ++i) {
            const Lanes a = broadcast_word(fours[i / 4] + i % 4 * row_stride);
#pragma GCC unroll 16
            for (int p = 0; p < panels; ++p)
                sums[i][p] = Words::multiply_add(a, b[p], sums[i][p]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < (rows + 3) / 4; ++i)
            fours[i] += step_stride;
        from += right.step_stride;
    }

    if (target.rounded != nullptr) {
#pragma GCC unroll 16
        for (int i = 0; i < rows; ++i)
#pragma GCC unroll 16
            for (int p = 0; p < panels; ++p)
                store(target.rounded + corner + i * target.stride + p * lanes, sums[i][p], columns);
        return;
    }
    if (target.addend != nullptr) {
#pragma GCC unroll 16
        for (int i = 0; i < rows; ++i)
#pragma GCC unroll 16
            for (int p = 0; p < panels; ++p)
                sums[i][p] =
                    sums[i][p] + load(target.addend + corner + i * target.stride + p * lanes, columns);
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i)
#pragma GCC unroll 16
        for (int p = 0; p < panels; ++p)
            store(target.sums + corner + i * target.stride + p * lanes, sums[i][p], columns);
}

/// The columns from `column` to `last` of `rows` rows from `row` on; `column` begins a panel.
template <class Words, bool by_rows, int rows>
[[gnu::always_inline]] inline void strip_product(int64_t column, int64_t last, int64_t steps, Left left,
                                                 Right right, Target target, int64_t row) {
    for (; column + tile_panels * lanes <= last; column += tile_panels * lanes)
        tile_product<Words, by_rows, rows, tile_panels>(steps, left, right, target, row, column, Full{});
    for (; column + lanes <= last; column += lanes)
        tile_product<Words, by_rows, rows, 1>(steps, left, right, target, row, column, Full{});
    if (column < last)
        tile_product<Words, by_rows, rows, 1>(steps, left, right, target, row, column, Part(last - column));
}

template <class Words, bool by_rows>
void strips_product(int64_t rows, int64_t first, int64_t last, int64_t steps, Left left, Right right,
                    Target target) {
    int64_t row = 0;
    if (last - first == lanes)  // as attention has it: one panel, and mostly sixteen rows at a time
        for (; row + narrow_tile_rows <= rows; row += narrow_tile_rows)
            tile_product<Words, by_rows, narrow_tile_rows, 1>(steps, left, right, target, row, first, Full{});
    for (; row + tile_rows <= rows; row += tile_rows)
        strip_product<Words, by_rows, tile_rows>(first, last, steps, left, right, target, row);
    for (; row + tile_rows / 3 <= rows; row += tile_rows / 3)
        strip_product<Words, by_rows, tile_rows / 3>(first, last, steps, left, right, target, row);
    for (; row < rows; ++row)
        strip_product<Words, by_rows, 1>(first, last, steps, left, right, target, row);
}

/// Columns whose part of the right operand stays in the second cache while all rows pass it: from further
/// away it comes but once.
inline int64_t columns_at_once(int64_t steps) {
    constexpr int64_t cached_words = 128 * 1024, block = 2 * lanes;
    const int64_t blocks = steps > 0 ? cached_words / steps / block : 1;
    return blocks > 1 ? blocks * block : block;
}

/// target (rows, columns) = left (rows, steps) right (steps, columns), steps in words.
template <class Words>
inline void product(int64_t rows, int64_t columns, int64_t steps, Left left, Right right, Target target) {
    if (left.step_stride != 1)
        return strips_product<Words, false>(rows, 0, columns, steps, left, right, target);
    const int64_t at_once = columns_at_once(steps);
    for (int64_t first = 0; first < columns; first += at_once)
        strips_product<Words, true>(rows, first, columns - first < at_once ? columns : first + at_once, steps,
                                    left, right, target);
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
