// Products of bfloat16 of any size on tiles: blocks of two by two, what does not fill a tile with zeros
// around it, and sums that are rounded, added to or given an addend as they are put down.
#pragma once

#include "kernels/cpu/simd/product.hpp"
#include "kernels/cpu/simd/tiles.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

/// Steps of a strip that are copied together: with them the buffer takes 32 KB.
constexpr int64_t chunk_steps = 256;

/// Rows of the left operand: whole tiles, and the one that the last steps do not fill, with zeros behind
/// them.
struct LeftStrip {
    LeftTiles whole, last;
};

/// What does not fill tiles, with zeros around it: both operands of a product are zero there, since zero
/// times whatever stands in memory may be not-a-number.
struct TileBuffers {
    alignas(64) float left[chunk_steps / lanes][strip_rows][lanes];
    alignas(64) float right[2][lanes][lanes];
    alignas(64) float sums[2][lanes][lanes];
};

/// Up to sixteen words, the others zero.
inline Lanes load_words(const float* from, int64_t count) {
    return count >= lanes ? load(from, Full{}) : count > 0 ? load(from, Part(count)) : broadcast(0.0f);
}

/// Up to sixteen rows of up to sixteen words, whose rows are `stride` apart.
inline void copy_tile(const float* from, int64_t stride, int64_t rows, int64_t words,
                      float (&to)[lanes][lanes]) {
    for (int64_t row = 0; row < lanes; ++row)
        store(to[row], row < rows ? load_words(from + row * stride, words) : broadcast(0.0f), Full{});
}

/// The left operand as numbers along its rows: word `step` of row `row` pairs the numbers of lines 2 step and
/// 2 step + 1, which stand at data[line * stride + row].
struct LeftLines {
    const Bfloat16* data;
    int64_t lines, stride;
};

/// Sixteen steps of sixteen rows, from (row, step) on, of which `rows` and `steps` are there: a row of words
/// each, with zeros around them.
inline void copy_square(const Left& left, int64_t row, int64_t step, int64_t rows, int64_t steps,
                        Lanes (&square)[lanes]) {
    // Words along the rows stay as they are; words along the steps are transposed.
    const bool by_rows = left.step_stride == 1;
    const float* corner = left.data + row * left.row_stride + step * left.step_stride;
    const int64_t stride = by_rows ? left.row_stride : left.step_stride;
    const int64_t lines = by_rows ? rows : steps, words = by_rows ? steps : rows;
    for (int64_t line = 0; line < lanes; ++line)
        square[line] = line < lines ? load_words(corner + line * stride, words) : broadcast(0.0f);
    if (!by_rows) transpose(square);
}
inline void copy_square(const LeftLines& left, int64_t row, int64_t step, int64_t rows, int64_t,
                        Lanes (&square)[lanes]) {
    const Bfloat16* corner = left.data + 2 * step * left.stride + row;
    const int64_t lines = left.lines - 2 * step;
    if (rows >= lanes && lines >= 2 * lanes) {
        for (int64_t word = 0; word < lanes; ++word)
            square[word] =
                pair(corner + 2 * word * left.stride, corner + (2 * word + 1) * left.stride, Full{});
    } else {
        const Part part(rows < lanes ? rows : lanes);
        for (int64_t word = 0; word < lanes; ++word) {
            const Bfloat16* even = corner + 2 * word * left.stride;
            square[word] = 2 * word + 1 < lines ? pair(even, even + left.stride, part)
                           : 2 * word < lines   ? pair(load(even, part), broadcast(0.0f))
                                                : broadcast(0.0f);
        }
    }
    transpose(square);
}

/// Up to strip_rows rows and chunk_steps steps of the left operand, from (row, step) on, with zeros around
/// them.
template <class LeftOperand>
LeftTiles copy_left(const LeftOperand& left, int64_t first_row, int64_t first_step, int64_t rows,
                    int64_t steps, TileBuffers& buffers) {
    for (int64_t step = 0; step < steps; step += lanes)
        for (int64_t row = 0; row < rows; row += lanes) {
            Lanes square[lanes];
            copy_square(left, first_row + row, first_step + step, rows - row, steps - step, square);
            for (int64_t line = 0; line < lanes; ++line)
                store(buffers.left[step / lanes][row + line], square[line], Full{});
        }
    return {buffers.left[0][0], lanes, strip_rows * lanes};
}

/// Takes up what stands in the target, sixteen rows and columns at most, or zero.
template <int tile, class Tiles>
[[gnu::always_inline]] inline void begin_sums(Tiles& tiles, const Target& target, int64_t corner,
                                              int64_t rows, int64_t columns, TileBuffers& buffers) {
    if (target.mode == Write::replace) return tiles.template zero<tile>();
    if (rows >= lanes && columns >= lanes)
        return tiles.template load<tile>(target.sums + corner, target.stride);
    copy_tile(target.sums + corner, target.stride, rows, columns, buffers.sums[0]);
    tiles.template load<tile>(buffers.sums[0][0], lanes);
}

template <class Number>
inline void store_numbers(Number* to, Lanes values, int64_t count) {
    if (count >= lanes)
        store(to, values, Full{});
    else
        store(to, values, Part(count));
}

/// Rounds whole rows of two tiles that are neighbours, from `sums` to `to`.
inline void round_rows(const float (&sums)[2][lanes][lanes], Bfloat16* to, int64_t stride, int64_t rows) {
    for (int64_t row = 0; row < rows && row < lanes; ++row)
        store(reinterpret_cast<float*>(to + row * stride),
              words(load(sums[0][row], Full{}), load(sums[1][row], Full{})), Full{});
}

/// Puts down the sums of `panels` neighbouring tiles, sixteen rows at most.
template <int first_tile, int panels, class Tiles>
[[gnu::always_inline]] inline void end_sums(Tiles& tiles, const Target& target, int64_t corner, int64_t rows,
                                            int64_t columns, TileBuffers& buffers) {
    const bool plain = target.rounded == nullptr && target.addend == nullptr;
    if (plain && rows >= lanes && columns >= panels * lanes) {
        tiles.template store<first_tile>(target.sums + corner, target.stride);
        if constexpr (panels == 2)
            tiles.template store<first_tile + 1>(target.sums + corner + lanes, target.stride);
        return;
    }
    tiles.template store<first_tile>(buffers.sums[0][0], lanes);
    if constexpr (panels == 2) {
        tiles.template store<first_tile + 1>(buffers.sums[1][0], lanes);
        if (target.rounded != nullptr)
            return round_rows(buffers.sums, target.rounded + corner, target.stride, rows);
    }
    for (int64_t row = 0; row < rows && row < lanes; ++row, corner += target.stride)
        for (int panel = 0; panel < panels; ++panel) {
            const int64_t here = corner + panel * lanes, left = columns - panel * lanes;
            Lanes sums = load(buffers.sums[panel][row], Full{});
            if (target.rounded != nullptr) {
                store_numbers(target.rounded + here, sums, left);
                continue;
            }
            if (target.addend != nullptr) sums = sums + load_words(target.addend + here, left);
            store_numbers(target.sums + here, sums, left);
        }
}

/// Some steps of a block of up to 16 row_tiles rows and 16 panels columns, whose operands are given from the
/// block's corner and the first of these steps on. Sums are taken up before and put down after, or stay in
/// the tiles.
template <int row_tiles, int panels, class Tiles>
void multiply_block(Tiles& tiles, int64_t rows, int64_t columns, int64_t steps, LeftStrip left, Right right,
                    const Target& target, int64_t corner, bool take_up, bool put_down, TileBuffers& buffers) {
    if (take_up) {
        const auto begin = [&]<int i, int p>() {
            begin_sums<2 * i + p>(tiles, target, corner + i * lanes * target.stride + p * lanes,
                                  rows - i * lanes, columns - p * lanes, buffers);
        };
        begin.template operator()<0, 0>();
        if constexpr (panels == 2) begin.template operator()<0, 1>();
        if constexpr (row_tiles == 2) begin.template operator()<1, 0>();
        if constexpr (row_tiles == 2 && panels == 2) begin.template operator()<1, 1>();
    }

    const bool in_place = right.fills_tiles || columns == panels * lanes;
    for (int64_t step = 0; step < steps; step += lanes) {
        const bool whole = step + lanes <= steps;
        const LeftTiles left_tiles = whole ? left.whole : left.last;
        if (right.fills_tiles || (in_place && whole)) {
            multiply_tiles<row_tiles, panels>(tiles, left_tiles, right);
        } else {
            for (int panel = 0; panel < panels; ++panel)
                copy_tile(right.data + panel * right.panel_stride, right.step_stride, steps - step,
                          columns - panel * lanes, buffers.right[panel]);
            multiply_tiles<row_tiles, panels>(tiles, left_tiles, {buffers.right[0][0], lanes, lanes * lanes});
        }
        left.whole.data += left.whole.tile_stride;
        right.data += lanes * right.step_stride;
    }

    if (put_down) {
        end_sums<0, panels>(tiles, target, corner, rows, columns, buffers);
        if constexpr (row_tiles == 2)
            end_sums<2, panels>(tiles, target, corner + lanes * target.stride, rows - lanes, columns,
                                buffers);
    }
}

/// Of so many columns that are left, those that the next block takes.
inline int64_t columns_of_block(int64_t columns) {
    return columns >= 2 * lanes ? 2 * lanes : columns >= lanes ? lanes : columns;
}

/// Some steps of the columns from `column` to `end` of up to 16 row_tiles rows from `row` on, with operands
/// from the first of these steps, rows and columns on.
template <int row_tiles, class Tiles>
void multiply_strip(Tiles& tiles, int64_t row, int64_t rows, int64_t column, int64_t end, int64_t steps,
                    LeftStrip left, Right right, const Target& target, bool take_up, bool put_down,
                    TileBuffers& buffers) {
    for (; column + 2 * lanes <= end; column += 2 * lanes, right.data += 2 * right.panel_stride)
        multiply_block<row_tiles, 2>(tiles, rows, 2 * lanes, steps, left, right, target,
                                     row * target.stride + column, take_up, put_down, buffers);
    for (; column < end; column += lanes, right.data += right.panel_stride)
        multiply_block<row_tiles, 1>(tiles, rows, columns_of_block(end - column), steps, left, right, target,
                                     row * target.stride + column, take_up, put_down, buffers);
}

/// As multiply_strip, for a strip of `rows` rows.
template <class Tiles>
void multiply_rows_of_strip(Tiles& tiles, int64_t row, int64_t rows, int64_t column, int64_t end,
                            int64_t steps, LeftStrip left, Right right, const Target& target, bool take_up,
                            bool put_down, TileBuffers& buffers) {
    right.data += column / lanes * right.panel_stride;
    if (rows > lanes)
        multiply_strip<2>(tiles, row, rows, column, end, steps, left, right, target, take_up, put_down,
                          buffers);
    else
        multiply_strip<1>(tiles, row, rows, column, end, steps, left, right, target, take_up, put_down,
                          buffers);
}

/// Columns from `first` to `last` of a strip whose left operand must be copied, some steps at a time.
template <class Tiles, class LeftOperand>
void multiply_copied_strip(Tiles& tiles, int64_t row, int64_t rows, int64_t first, int64_t last,
                           int64_t steps, const LeftOperand& left, Right right, const Target& target,
                           TileBuffers& buffers) {
    // From chunk to chunk of steps float32 sums wait in the target. Others stay in the tiles, one block at a
    // time, and chunks are copied anew for each.
    const bool wait_in_target = target.rounded == nullptr && target.addend == nullptr;
    const bool all_columns = wait_in_target || steps <= chunk_steps;
    for (int64_t column = first, end = first; column < last; column = end) {
        end = all_columns ? last : column + columns_of_block(last - column);
        Target sums = target;
        int64_t step = 0;
        do {  // once where there are no steps
            const int64_t count = steps - step < chunk_steps ? steps - step : chunk_steps;
            const LeftTiles copied = copy_left(left, row, step, rows, count, buffers);
            LeftTiles last_tile = copied;
            last_tile.data += count / lanes * copied.tile_stride;
            const Right here = {right.data + step * right.step_stride, right.step_stride, right.panel_stride,
                                right.fills_tiles};
            const bool take_up = wait_in_target || step == 0;
            step += count;
            multiply_rows_of_strip(tiles, row, rows, column, end, count, {copied, last_tile}, here, sums,
                                   take_up, wait_in_target || step == steps, buffers);
            sums.mode = Write::add;
        } while (step < steps);
    }
}

/// Columns from `first` to `last` of a product.
template <class Tiles>
void multiply_columns_of(Tiles& tiles, int64_t rows, int64_t first, int64_t last, int64_t steps,
                         const Left& left, Right right, const Target& target, TileBuffers& buffers) {
    for (int64_t row = 0; row < rows; row += strip_rows) {
        const int64_t strip = rows - row < strip_rows ? rows - row : strip_rows;
        if (left.step_stride != 1 || strip < strip_rows) {
            multiply_copied_strip(tiles, row, strip, first, last, steps, left, right, target, buffers);
            continue;
        }
        // Words along the rows are read where they stand, as far as they fill tiles.
        const int64_t filled = steps / lanes * lanes;
        LeftStrip left_strip = {{left.data + row * left.row_stride, left.row_stride, lanes}, {}};
        if (filled < steps) left_strip.last = copy_left(left, row, filled, strip, steps - filled, buffers);
        multiply_rows_of_strip(tiles, row, strip, first, last, steps, left_strip, right, target, true, true,
                               buffers);
    }
}

/// target (rows, columns) = left (rows, steps) right (steps, columns), steps in words of two bfloat16. As
/// product<Bfloat16Words>, but for the bits.
template <class Tiles>
void tiled_product(int64_t rows, int64_t columns, int64_t steps, const Left& left, Right right,
                   const Target& target) {
    Tiles tiles;
    TileBuffers buffers;
    // A left operand that must be copied is copied once, whatever the columns.
    const int64_t at_once = left.step_stride == 1 ? columns_at_once(steps) : columns;
    for (int64_t first = 0; first < columns; first += at_once)
        multiply_columns_of(tiles, rows, first, columns - first < at_once ? columns : first + at_once, steps,
                            left, right, target, buffers);
}
template <class Tiles>
void tiled_product(int64_t rows, int64_t columns, int64_t steps, const LeftLines& left, Right right,
                   const Target& target) {
    Tiles tiles;
    TileBuffers buffers;
    for (int64_t row = 0; row < rows; row += strip_rows)
        multiply_copied_strip(tiles, row, rows - row < strip_rows ? rows - row : strip_rows, 0, columns,
                              steps, left, right, target, buffers);
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
