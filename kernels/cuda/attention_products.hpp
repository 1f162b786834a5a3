// Products of tiles in shared memory on tensor cores, as attention in bfloat16 takes them: a warp has one or
// two squares of 16 rows, whose sums stay in its registers. Device code.
#pragma once

#include <cstdint>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/ptx.hpp"

namespace isogrid::kernels::cuda {

constexpr int rows_of_square = 16;

/// Rows of a tile in shared memory are apart by 8 numbers more than they have: 8 of them lie in different
/// banks.
template <int width>
constexpr int pitch_of = width + 8;

/// Where this lane's words of four 8 x 8 matrices begin that stand in a square: two below each other, two
/// beside each other. `beside_first`: the second matrix is the one beside the first, else the one below it.
template <int pitch>
__device__ const Bfloat16* square_at(const Bfloat16* from, int row, int column, bool beside_first) {
    const int lane = static_cast<int>(threadIdx.x) % lanes, matrix = lane / 8;
    const int second = matrix % 2, third = matrix / 2;
    const int down = beside_first ? third : second, along = beside_first ? second : third;
    return from + (row + 8 * down + lane % 8) * pitch + column + 8 * along;
}

/// 16 rows and 16 columns as multiply_tile's left factor.
template <int pitch>
__device__ void load_left(std::uint32_t (&words)[4], const Bfloat16* from, int row, int column) {
    load_tiles(words, square_at<pitch>(from, row, column, false));
}

/// Two right factors, of sums over columns: their columns are rows `row` to `row` + 16 of the matrix.
template <int pitch>
__device__ void load_rights_of_rows(std::uint32_t (&words)[4], const Bfloat16* from, int row, int column) {
    load_tiles(words, square_at<pitch>(from, row, column, true));
}

/// Two right factors, of sums over rows: their columns are columns `column` to `column` + 16 of the matrix.
template <int pitch>
__device__ void load_rights_of_columns(std::uint32_t (&words)[4], const Bfloat16* from, int row, int column) {
    load_tiles_transposed(words, square_at<pitch>(from, row, column, false));
}

/// sums (16 squares, others) += rows `left_row` and on of left . rows of right, over `width` columns. Each
/// right factor is read once for all squares.
template <int width, int others, int squares>
__device__ void add_products_of_rows(float (&sums)[squares][others / 8][4], const Bfloat16* left,
                                     int left_row, const Bfloat16* right) {
    constexpr int pitch = pitch_of<width>;
#pragma unroll
    for (int column = 0; column < width; column += 16) {
        std::uint32_t of_left[squares][4], of_right[4];
#pragma unroll
        for (int square = 0; square < squares; ++square)
            load_left<pitch>(of_left[square], left, left_row + 16 * square, column);
#pragma unroll
        for (int other = 0; other < others; other += 16) {
            load_rights_of_rows<pitch>(of_right, right, other, column);
#pragma unroll
            for (int square = 0; square < squares; ++square) {
                multiply_tile(sums[square][other / 8], of_left[square], of_right[0], of_right[1]);
                multiply_tile(sums[square][other / 8 + 1], of_left[square], of_right[2], of_right[3]);
            }
        }
    }
}

/// sums (16 squares, width) += weights (16 squares, others) . right (others, width); weights are rounded.
template <int width, int others, int squares>
__device__ void add_weighted_rows(float (&sums)[squares][width / 8][4],
                                  const float (&weights)[squares][others / 8][4], const Bfloat16* right) {
#pragma unroll
    for (int other = 0; other < others; other += 16) {
        // A lane's sums of one product are its words of the next one's left factor.
        std::uint32_t of_left[squares][4];
#pragma unroll
        for (int square = 0; square < squares; ++square) {
            const float(&near)[4] = weights[square][other / 8], (&far)[4] = weights[square][other / 8 + 1];
            of_left[square][0] = rounded_normal_pair(near[0], near[1]);
            of_left[square][1] = rounded_normal_pair(near[2], near[3]);
            of_left[square][2] = rounded_normal_pair(far[0], far[1]);
            of_left[square][3] = rounded_normal_pair(far[2], far[3]);
        }
#pragma unroll
        for (int column = 0; column < width; column += 16) {
            std::uint32_t of_right[4];
            load_rights_of_columns<pitch_of<width>>(of_right, right, other, column);
#pragma unroll
            for (int square = 0; square < squares; ++square) {
                multiply_tile(sums[square][column / 8], of_left[square], of_right[0], of_right[1]);
                multiply_tile(sums[square][column / 8 + 1], of_left[square], of_right[2], of_right[3]);
            }
        }
    }
}

/// Where the sums of this lane stand, of a warp with so many squares of 16 rows: sums[square][n][i] is at row
/// low_row + 16 square + 8 (i / 2) and column 8 n + pair + i % 2.
struct Place {
    int first_row, low_row, pair;  ///< of the warp; of the lane
};
template <int squares>
__device__ Place place_of_lane() {
    const int lane = static_cast<int>(threadIdx.x) % lanes;
    const int first_row = static_cast<int>(threadIdx.x) / lanes * rows_of_square * squares;
    return {first_row, first_row + lane / 4, lane % 4 * 2};
}

}  // namespace isogrid::kernels::cuda
