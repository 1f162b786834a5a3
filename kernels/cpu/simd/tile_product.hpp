// Small dense products c = a b or c += a b whose sums stay in registers; every sum runs over the depth in
// rising order.
#pragma once

#include "kernels/cpu/simd/lanes.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

/// A matrix read one number at a time, by rows or (transposed) by columns: [row, step] stands at
/// data[row * row_stride + step * step_stride].
struct Scalars {
    const float* data;
    int64_t row_stride, step_stride;
    Scalars from_row(int64_t row) const { return {data + row * row_stride, row_stride, step_stride}; }
};

template <int rows, int panels>
inline void tile_product(int64_t depth, Scalars a, const float* b, int64_t b_stride, float* c,
                         int64_t c_stride, Write mode) {
    Lanes sums[rows][panels];
#pragma GCC unroll 16
    for (int row = 0; row < rows; ++row)
#pragma GCC unroll 16
        for (int panel = 0; panel < panels; ++panel)
            sums[row][panel] =
                mode == Write::add ? load(c + row * c_stride + panel * lanes, Full{}) : broadcast(0.0f);
    for (int64_t step = 0; step < depth; ++step) {
        Lanes right[panels];
#pragma GCC unroll 16
        for (int panel = 0; panel < panels; ++panel)
            right[panel] = load(b + step * b_stride + panel * lanes, Full{});
#pragma GCC unroll 16
        for (int row = 0; row < rows; ++row) {
            const float* group = row < 8 ? a.data : a.data + 8 * a.row_stride;
            const Lanes left = broadcast(group[row % 8 * a.row_stride + step * a.step_stride]);
#pragma GCC unroll 16
            for (int panel = 0; panel < panels; ++panel)
                sums[row][panel] = multiply_add(left, right[panel], sums[row][panel]);
        }
    }
#pragma GCC unroll 16
    for (int row = 0; row < rows; ++row)
#pragma GCC unroll 16
        for (int panel = 0; panel < panels; ++panel)
            store(c + row * c_stride + panel * lanes, sums[row][panel], Full{});
}

/// The columns of one panel, from row `row` on while whole tiles of `tile` rows are left; returns where it
/// stopped.
template <int tile>
inline int64_t panel_product(int64_t row, int64_t rows, int64_t depth, Scalars a, const float* b,
                             int64_t b_stride, float* c, int64_t c_stride, Write mode) {
    for (; row + tile <= rows; row += tile)
        tile_product<tile, 1>(depth, a.from_row(row), b, b_stride, c + row * c_stride, c_stride, mode);
    return row;
}

/// c (rows, columns) = or += a (rows, depth) b (depth, columns); columns is a multiple of `lanes`.
inline void product(int64_t rows, int64_t columns, int64_t depth, Scalars a, const float* b, int64_t b_stride,
                    float* c, int64_t c_stride, Write mode) {
    for (int64_t column = 0; column < columns; column += lanes) {
        int64_t row = 0;
        row = panel_product<tile_rows>(row, rows, depth, a, b + column, b_stride, c + column, c_stride, mode);
        row = panel_product<tile_rows / 2>(row, rows, depth, a, b + column, b_stride, c + column, c_stride,
                                           mode);
        panel_product<1>(row, rows, depth, a, b + column, b_stride, c + column, c_stride, mode);
    }
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
