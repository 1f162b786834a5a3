// What attention's kernels share: a head's rows in shared memory, with rotary positions turned on the way.
// Device code.
//
// Kernels are compiled for head widths of 16, 32, 64 and 128. A head of another width has columns of zeros
// behind its own, which change no product.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/ptx.hpp"

namespace isogrid::kernels::cuda {

/// One head of one sequence: its numbers in a matrix of `stride` columns. Rows are counted in 32 bits, as
/// kernels compare them with one another at every score.
template <class Number>
struct Head {
    Number* first;  ///< of its first row
    std::int64_t stride;
    int rows, width;

    __device__ Number* row(int index) const { return first + index * stride; }
};

/// The head of block (., blockIdx.y, blockIdx.z), whose columns begin at `column` in a matrix of `columns`.
template <class Number>
__device__ Head<Number> head_of_block(Number* matrix, const AttentionShape& shape, std::int64_t columns,
                                      std::int64_t column) {
    return {matrix + blockIdx.z * shape.context * columns + column + blockIdx.y * shape.head_width, columns,
            static_cast<int>(shape.context), static_cast<int>(shape.head_width)};
}

/// Where the block's head has its log sums, and whatever else there is one of a row.
__device__ inline std::int64_t first_row_of_block(const AttentionShape& shape) {
    return (std::int64_t{blockIdx.z} * shape.heads + blockIdx.y) * shape.context;
}

/// Eight numbers of bfloat16 that are neighbours in memory.
__device__ inline void widen_eight(const Bfloat16* from, float (&numbers)[8]) {
    const uint4 words = *reinterpret_cast<const uint4*>(from);
    const std::uint32_t pairs[4] = {words.x, words.y, words.z, words.w};
    for (int i = 0; i < 8; ++i)
        numbers[i] =
            i % 2 != 0 ? __uint_as_float(pairs[i / 2] & 0xffff0000u) : widened(pairs[i / 2] & 0xffffu);
}

/// Eight numbers of float32, from a place that is a multiple of as many.
__device__ inline void read_eight(const float* from, float (&numbers)[8]) {
    const auto* fours = reinterpret_cast<const float4*>(from);
    const float4 near = fours[0], far = fours[1];
    numbers[0] = near.x, numbers[1] = near.y, numbers[2] = near.z, numbers[3] = near.w;
    numbers[4] = far.x, numbers[5] = far.y, numbers[6] = far.z, numbers[7] = far.w;
}

__device__ inline void round_eight(const float (&numbers)[8], Bfloat16* to) {
    *reinterpret_cast<uint4*>(to) = {
        rounded_pair(numbers[0], numbers[1]), rounded_pair(numbers[2], numbers[3]),
        rounded_pair(numbers[4], numbers[5]), rounded_pair(numbers[6], numbers[7])};
}

/// Calls run(own) with the columns that are the head's own; where they are all, that is known when it is
/// compiled.
template <int width, class Run>
__device__ void with_own_columns(int own, Run run) {
    if (own == width)
        run(std::integral_constant<int, width>());
    else
        run(own);
}

/// Clears the columns behind the head's own.
template <int width, int tile, int pitch, class Number>
__device__ void clear_further_columns(const Head<const Number>& head, Number* to) {
    const int own = head.width, further = width - own;
    for (int i = threadIdx.x; i < tile * further; i += blockDim.x)
        write(to, i / further * pitch + own + i % further, 0.0f);
}

/// Rows first to first + tile of the head, their `own` columns, number by number, into (tile, pitch); zeros
/// where it has none.
template <int tile, int pitch, class Number>
__device__ void copy_rows(const Head<const Number>& head, int own, int first, Number* to) {
    for (int i = threadIdx.x; i < tile * own; i += blockDim.x) {
        const int row = i / own, column = i % own;
        write(to, row * pitch + column, first + row < head.rows ? read(head.row(first + row), column) : 0.0f);
    }
}

/// The same by eight numbers at a time, of which `own` is a multiple.
template <int tile, int pitch>
__device__ void copy_eights(const Head<const Bfloat16>& head, int own, int first, Bfloat16* to) {
    const int eights = own / 8;
    for (int i = threadIdx.x; i < tile * eights; i += blockDim.x) {
        const int row = i / eights, column = i % eights * 8;
        uint4 words{0, 0, 0, 0};
        if (first + row < head.rows) words = *reinterpret_cast<const uint4*>(head.row(first + row) + column);
        *reinterpret_cast<uint4*>(to + row * pitch + column) = words;
    }
}

/// As copy_rows, each row rotated by its position.
template <int tile, int pitch, class Number>
__device__ void rotate_rows(const Head<const Number>& head, const RotaryTables& rotary, int own, int first,
                            Number* to) {
    const int half = own / 2;
    for (int i = threadIdx.x; i < tile * half; i += blockDim.x) {
        const int row = i / half, column = i % half;
        float low = 0, high = 0, cosine = 0, sine = 0;
        if (first + row < head.rows) {
            const std::int64_t angle = std::int64_t{first + row} * half + column;
            low = read(head.row(first + row), column);
            high = read(head.row(first + row), column + half);
            cosine = rotary.cosines[angle];
            sine = rotary.sines[angle];
        }
        write(to, row * pitch + column, low * cosine - high * sine);
        write(to, row * pitch + column + half, high * cosine + low * sine);
    }
}

/// The same by eight numbers at a time, of which half of `own` is a multiple.
template <int tile, int pitch>
__device__ void rotate_eights(const Head<const Bfloat16>& head, const RotaryTables& rotary, int own,
                              int first, Bfloat16* to) {
    const int half = own / 2, eights = half / 8;
    for (int i = threadIdx.x; i < tile * eights; i += blockDim.x) {
        const int row = i / eights, column = i % eights * 8;
        float turned_low[8] = {}, turned_high[8] = {};
        if (first + row < head.rows) {
            const Bfloat16* from = head.row(first + row) + column;
            const std::int64_t angles = std::int64_t{first + row} * half + column;
            float low[8], high[8], cosines[8], sines[8];
            widen_eight(from, low);
            widen_eight(from + half, high);
            read_eight(rotary.cosines + angles, cosines);
            read_eight(rotary.sines + angles, sines);
            for (int j = 0; j < 8; ++j) {
                turned_low[j] = low[j] * cosines[j] - high[j] * sines[j];
                turned_high[j] = high[j] * cosines[j] + low[j] * sines[j];
            }
        }
        round_eight(turned_low, to + row * pitch + column);
        round_eight(turned_high, to + row * pitch + column + half);
    }
}

/// Rows first to first + tile of the head into (tile, pitch), zeros where it has none.
template <int width, int tile, int pitch, class Number>
__device__ void load_rows(const Head<const Number>& head, int first, Number* to) {
    clear_further_columns<width, tile, pitch>(head, to);
    with_own_columns<width>(head.width, [&](auto own) {
        if constexpr (std::is_same_v<Number, Bfloat16>) {
            if (own % 8 == 0)
                copy_eights<tile, pitch>(head, own, first, to);
            else
                copy_rows<tile, pitch>(head, own, first, to);
        } else {
            copy_rows<tile, pitch>(head, own, first, to);
        }
    });
}

/// As load_rows, each row rotated by its position.
template <int width, int tile, int pitch, class Number>
__device__ void load_rotated_rows(const Head<const Number>& head, const RotaryTables& rotary, int first,
                                  Number* to) {
    clear_further_columns<width, tile, pitch>(head, to);
    with_own_columns<width>(head.width, [&](auto own) {
        if constexpr (std::is_same_v<Number, Bfloat16>) {
            if (own % 16 == 0)
                rotate_eights<tile, pitch>(head, rotary, own, first, to);
            else
                rotate_rows<tile, pitch>(head, rotary, own, first, to);
        } else {
            rotate_rows<tile, pitch>(head, rotary, own, first, to);
        }
    });
}

/// Rows first to first + tile of a gradient of rotated numbers, (tile, pitch), turned back into the head's.
template <int width, int tile, int pitch, class Number>
__device__ void write_rows_turned_back(const Head<Number>& head, const RotaryTables& rotary, int first,
                                       const float* from) {
    with_own_columns<width>(head.width, [&](auto own) {
        const int half = own / 2;
        for (int i = threadIdx.x; i < tile * half; i += blockDim.x) {
            const int row = i / half, column = i % half;
            if (first + row >= head.rows) continue;
            const float low = from[row * pitch + column], high = from[row * pitch + column + half];
            const std::int64_t angle = std::int64_t{first + row} * half + column;
            const float cosine = rotary.cosines[angle], sine = rotary.sines[angle];
            write(head.row(first + row), column, low * cosine + high * sine);
            write(head.row(first + row), column + half, high * cosine - low * sine);
        }
    });
}

/// Calls run with the smallest compiled width that holds a head: run.template operator()<64>().
template <class Run>
void for_compiled_width(std::int64_t head_width, Run run) {
    if (head_width <= 16) return run.template operator()<16>();
    if (head_width <= 32) return run.template operator()<32>();
    if (head_width <= 64) return run.template operator()<64>();
    if (head_width <= 128) return run.template operator()<128>();
    throw std::runtime_error("no attention over heads of width " + std::to_string(head_width) +
                             " on cuda (its kernels hold 128) choose more heads, or device = \"cpu\"");
}

/// A block for every `tile` rows of every head of every sequence.
inline dim3 tiles_of(const AttentionShape& shape, int tile) {
    return dim3(static_cast<unsigned>((shape.context + tile - 1) / tile), static_cast<unsigned>(shape.heads),
                static_cast<unsigned>(shape.batch));
}

// attention_bfloat16.cu and attention_float32.cu
void attention_of(const Card& card, const Bfloat16* qkv, RotaryTables rotary, AttentionShape shape,
                  Bfloat16* out, float* log_sum, void* workspace);
void attention_of(const Card& card, const float* qkv, RotaryTables rotary, AttentionShape shape, float* out,
                  float* log_sum);
void attention_gradient_of(const Card& card, const Bfloat16* out_gradient, const Bfloat16* qkv,
                           RotaryTables rotary, const float* log_sum, const float* means,
                           AttentionShape shape, Bfloat16* qkv_gradient, void* workspace);
void attention_gradient_of(const Card& card, const float* out_gradient, const float* qkv, RotaryTables rotary,
                           const float* log_sum, const float* means, AttentionShape shape,
                           float* qkv_gradient);

/// Launches, for every `tile` rows of every head, the kernel that `choose` names for the smallest compiled
/// width that holds a head, with the bytes of shared memory that it takes: choose.template operator()<64>().
template <class Choose, class... Arguments>
void launch_for_width(const Card& card, AttentionShape shape, int tile, unsigned threads, Choose choose,
                      Arguments... arguments) {
    for_compiled_width(shape.head_width, [&]<int width>() {
        const auto [kernel, shared_bytes] = choose.template operator()<width>();
        launch(card, kernel, tiles_of(shape, tile), threads, shared_bytes, shape, arguments...);
    });
}

}  // namespace isogrid::kernels::cuda
