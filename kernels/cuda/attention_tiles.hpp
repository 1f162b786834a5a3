// What attention's kernels share: a head's rows in shared memory, with rotary positions turned on the way.
// Device code.
//
// Kernels are compiled for head widths of 16, 32, 64 and 128. A head of another width has columns of zeros
// behind its own, which change no product.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/ptx.hpp"

namespace isogrid::kernels::cuda {

/// One head of one sequence: its numbers in a matrix of `stride` columns.
template <class Number>
struct Head {
    Number* first;  ///< of its first row
    std::int64_t stride, rows, width;
};

/// The head of block (., blockIdx.y, blockIdx.z), whose columns begin at `column` in a matrix of `columns`.
template <class Number>
__device__ Head<Number> head_of_block(Number* matrix, const AttentionShape& shape, std::int64_t columns,
                                      std::int64_t column) {
    return {matrix + blockIdx.z * shape.context * columns + column + blockIdx.y * shape.head_width, columns,
            shape.context, shape.head_width};
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

__device__ inline void round_eight(const float (&numbers)[8], Bfloat16* to) {
    *reinterpret_cast<uint4*>(to) = {
        rounded_pair(numbers[0], numbers[1]), rounded_pair(numbers[2], numbers[3]),
        rounded_pair(numbers[4], numbers[5]), rounded_pair(numbers[6], numbers[7])};
}

/// Clears the columns behind the head's own.
template <int width, int tile, int pitch, class Number>
__device__ void clear_further_columns(const Head<const Number>& head, Number* to) {
    const int own = static_cast<int>(head.width), further = width - own;
    for (int i = threadIdx.x; i < tile * further; i += blockDim.x)
        write(to, i / further * pitch + own + i % further, 0.0f);
}

/// Rows first to first + tile of the head into (tile, pitch), zeros where it has none.
template <int width, int tile, int pitch, class Number>
__device__ void load_rows(const Head<const Number>& head, std::int64_t first, Number* to) {
    clear_further_columns<width, tile, pitch>(head, to);
    const int own = static_cast<int>(head.width);
    if constexpr (sizeof(Number) == sizeof(Bfloat16)) {
        if (own % 8 == 0) {
            const int eights = own / 8;
            for (int i = threadIdx.x; i < tile * eights; i += blockDim.x) {
                const int row = i / eights, column = i % eights * 8;
                uint4 words{0, 0, 0, 0};
                if (first + row < head.rows)
                    words =
                        *reinterpret_cast<const uint4*>(head.first + (first + row) * head.stride + column);
                *reinterpret_cast<uint4*>(to + row * pitch + column) = words;
            }
            return;
        }
    }
    for (int i = threadIdx.x; i < tile * own; i += blockDim.x) {
        const int row = i / own, column = i % own;
        write(to, row * pitch + column,
              first + row < head.rows ? read(head.first, (first + row) * head.stride + column) : 0.0f);
    }
}

/// As load_rows, each row rotated by its position.
template <int width, int tile, int pitch, class Number>
__device__ void load_rotated_rows(const Head<const Number>& head, const RotaryTables& rotary,
                                  std::int64_t first, Number* to) {
    clear_further_columns<width, tile, pitch>(head, to);
    const int half = static_cast<int>(head.width) / 2;
    if constexpr (sizeof(Number) == sizeof(Bfloat16)) {
        if (half % 8 == 0) {
            const int eights = half / 8;
            for (int i = threadIdx.x; i < tile * eights; i += blockDim.x) {
                const int row = i / eights, column = i % eights * 8;
                float low[8] = {}, high[8] = {}, turned_low[8] = {}, turned_high[8] = {};
                if (first + row < head.rows) {
                    const Bfloat16* from = head.first + (first + row) * head.stride + column;
                    const float* cosines = rotary.cosines + (first + row) * half + column;
                    const float* sines = rotary.sines + (first + row) * half + column;
                    widen_eight(from, low);
                    widen_eight(from + half, high);
                    for (int j = 0; j < 8; ++j) {
                        turned_low[j] = low[j] * cosines[j] - high[j] * sines[j];
                        turned_high[j] = high[j] * cosines[j] + low[j] * sines[j];
                    }
                }
                round_eight(turned_low, to + row * pitch + column);
                round_eight(turned_high, to + row * pitch + column + half);
            }
            return;
        }
    }
    for (int i = threadIdx.x; i < tile * half; i += blockDim.x) {
        const int row = i / half, column = i % half;
        float low = 0, high = 0, cosine = 0, sine = 0;
        if (first + row < head.rows) {
            low = read(head.first, (first + row) * head.stride + column);
            high = read(head.first, (first + row) * head.stride + column + half);
            cosine = rotary.cosines[(first + row) * half + column];
            sine = rotary.sines[(first + row) * half + column];
        }
        write(to, row * pitch + column, low * cosine - high * sine);
        write(to, row * pitch + column + half, high * cosine + low * sine);
    }
}

/// Rows first to first + tile of a gradient of rotated numbers, (tile, pitch), turned back into the head's.
template <int tile, int pitch, class Number>
__device__ void write_rows_turned_back(const Head<Number>& head, const RotaryTables& rotary,
                                       std::int64_t first, const float* from) {
    const int half = static_cast<int>(head.width) / 2;
    for (int i = threadIdx.x; i < tile * half; i += blockDim.x) {
        const int row = i / half, column = i % half;
        if (first + row >= head.rows) continue;
        const float low = from[row * pitch + column], high = from[row * pitch + column + half];
        const float cosine = rotary.cosines[(first + row) * half + column];
        const float sine = rotary.sines[(first + row) * half + column];
        write(head.first, (first + row) * head.stride + column, low * cosine + high * sine);
        write(head.first, (first + row) * head.stride + column + half, high * cosine - low * sine);
    }
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

// attention_bfloat16.cu
void attention_bfloat16(const Card& card, const Bfloat16* qkv, RotaryTables rotary, AttentionShape shape,
                        Bfloat16* out, float* log_sum);
void attention_backward_bfloat16(const Card& card, const Bfloat16* out_gradient, const Bfloat16* qkv,
                                 RotaryTables rotary, const float* log_sum, const float* means,
                                 AttentionShape shape, Bfloat16* qkv_gradient);

// attention_float32.cu
void attention_float32(const Card& card, const float* qkv, RotaryTables rotary, AttentionShape shape,
                       float* out, float* log_sum);
void attention_backward_float32(const Card& card, const float* out_gradient, const float* qkv,
                                RotaryTables rotary, const float* log_sum, const float* means,
                                AttentionShape shape, float* qkv_gradient);

}  // namespace isogrid::kernels::cuda
