// What attention in bfloat16 reads: a head's rows behind each other, q and k turned by their positions once,
// zeros behind its columns and rows up to whole tiles. So a tile is one piece of memory that goes into shared
// memory past the registers, and kernels ask neither how wide a head is nor where its context ends. Some
// sequences at a time, so that what is packed is still in the second-level cache when it is read. Device
// code.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/attention_products.hpp"
#include "kernels/cuda/attention_tiles.hpp"
#include "kernels/cuda/sizes.hpp"

namespace isogrid::kernels::cuda {

constexpr unsigned packing_threads = 128;
constexpr float log2_e = 1.4426950408889634f;

/// The parts of a head, in their order. The output's gradients, and the statistics, are there in the backward
/// pass only.
enum Part : int { queries, keys, values, gradients };

/// Some sequences' heads.
struct PackedHeads {
    Bfloat16* numbers;  ///< (sequences, heads, parts, rows, width)
    float* statistics;  ///< (sequences, heads, 2, rows): log sums in base 2, and means
    int rows;           ///< of a head, its context and zeros behind it

    __device__ std::int64_t head() const { return std::int64_t{blockIdx.z} * gridDim.y + blockIdx.y; }
    /// Of the head of block (., blockIdx.y, blockIdx.z).
    template <int width>
    __device__ Bfloat16* part(Part which, int row) const {
        return numbers + ((head() * packed_parts + which) * rows + row) * width;
    }
    __device__ float* log_sums(int row) const { return statistics + head() * 2 * rows + row; }
    __device__ float* means(int row) const { return log_sums(row) + rows; }
};

/// What the backward pass reads beside q, k and v; nothing in the forward pass.
struct Backward {
    const Bfloat16* out_gradient = nullptr;
    const float *log_sum = nullptr, *means = nullptr;
};

template <int width>
__global__ void __launch_bounds__(packing_threads)
    pack_kernel(AttentionShape shape, RotaryTables rotary, const Bfloat16* qkv, Backward backward,
                PackedHeads packed) {
    const int first = static_cast<int>(blockIdx.x) * packed_tile;
    const auto rows_of = [&](Part part) {
        return head_of_block(qkv, shape, 3 * shape.width(), part * shape.width());
    };
    load_rotated_rows<width, packed_tile, width>(rows_of(queries), rotary, first,
                                                 packed.part<width>(queries, first));
    load_rotated_rows<width, packed_tile, width>(rows_of(keys), rotary, first,
                                                 packed.part<width>(keys, first));
    load_rows<width, packed_tile, width>(rows_of(values), first, packed.part<width>(values, first));
    if (backward.out_gradient == nullptr) return;

    load_rows<width, packed_tile, width>(head_of_block(backward.out_gradient, shape, shape.width(), 0), first,
                                         packed.part<width>(gradients, first));
    for (int i = threadIdx.x; i < packed_tile; i += packing_threads) {
        const bool exists = first + i < shape.context;
        const std::int64_t at = first_row_of_block(shape) + first + i;
        *packed.log_sums(first + i) = exists ? log2_e * backward.log_sum[at] : 0;
        *packed.means(first + i) = exists ? backward.means[at] : 0;
    }
}

/// Begins to copy `rows` packed rows into shared memory, (rows, pitch_of<width>).
template <int width, int rows>
__device__ void begin_rows(const Bfloat16* from, Bfloat16* to) {
    constexpr int eights = width / 8;
    for (int i = threadIdx.x; i < rows * eights; i += blockDim.x)
        begin_copy(to + i / eights * pitch_of<width> + i % eights * 8, from + i * 8);
}

/// The same of one number a row.
template <int rows>
__device__ void begin_numbers(const float* from, float* to) {
    for (int i = threadIdx.x; i < rows / 4; i += blockDim.x)
        begin_copy(to + 4 * i, from + 4 * i);
}

/// A block for every packed tile of every head.
inline dim3 packed_tiles(const AttentionShape& shape) {
    return dim3(static_cast<unsigned>(packed_size(shape).rows / packed_tile),
                static_cast<unsigned>(shape.heads), static_cast<unsigned>(shape.batch));
}

/// Calls run(sequences, first sequence, where they are packed) for as many sequences at a time as are packed.
template <class Run>
void for_sequences(const AttentionShape& shape, void* workspace, Run run) {
    const PackedSize size = packed_size(shape);
    auto* numbers = static_cast<Bfloat16*>(workspace);
    const std::int64_t all_numbers = size.sequences * shape.heads * packed_parts * size.rows * size.width;
    const PackedHeads packed{numbers, reinterpret_cast<float*>(numbers + all_numbers),
                             static_cast<int>(size.rows)};
    for (std::int64_t first = 0; first < shape.batch; first += size.sequences) {
        AttentionShape some = shape;
        some.batch = std::min(size.sequences, shape.batch - first);
        run(some, first, packed);
    }
}

}  // namespace isogrid::kernels::cuda
