// What kernels share: numbers of both elements, sums over lanes and blocks, shared memory. Device code; tests
// compile it for the processor too (tests/kernels/cuda_on_cpu).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cuda_runtime.h>

#include "kernels/backend.hpp"
#include "kernels/cuda/ptx.hpp"

namespace isogrid::kernels::cuda {

constexpr int lanes = 32;
constexpr unsigned all_lanes = 0xffffffffu;

/// The block's own memory, of the size its launch gives.
extern __shared__ uint4 shared_memory[];

template <class T>
__device__ T* shared_at(std::size_t byte = 0) {
    return reinterpret_cast<T*>(reinterpret_cast<unsigned char*>(shared_memory) + byte);
}

__device__ inline std::int64_t thread_of_grid() {
    return std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t threads_of_grid() {
    return std::int64_t{gridDim.x} * blockDim.x;
}

__device__ inline float widened(std::uint32_t bfloat16_bits) {
    return __uint_as_float(bfloat16_bits << 16);
}

/// As kernels/bfloat16.hpp rounds: numbers below 2^-126 become zero, and not-a-number stays.
__device__ inline Bfloat16 nearest_bfloat16(float value) {
    const std::uint32_t bits = __float_as_uint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<std::uint16_t>(bits >> 16 | 0x40)};
    if ((bits & 0x7f800000u) == 0) return {static_cast<std::uint16_t>(bits >> 16 & 0x8000)};
    return {static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

__device__ inline float read(const float* numbers, std::int64_t i) {
    return numbers[i];
}
__device__ inline float read(const Bfloat16* numbers, std::int64_t i) {
    return widened(numbers[i].bits);
}
__device__ inline void write(float* numbers, std::int64_t i, float value) {
    numbers[i] = value;
}
__device__ inline void write(Bfloat16* numbers, std::int64_t i, float value) {
    numbers[i] = nearest_bfloat16(value);
}

/// Neighbours at once: one, or as many as 16 bytes of float32 hold, from a place that is a multiple of as
/// many.
template <int count>
__device__ void read_some(float (&numbers)[count], const float* from) {
    if constexpr (count == 4) {
        const float4 four = *reinterpret_cast<const float4*>(from);
        numbers[0] = four.x, numbers[1] = four.y, numbers[2] = four.z, numbers[3] = four.w;
    } else {
        static_assert(count == 1);
        numbers[0] = *from;
    }
}
template <int count>
__device__ void read_some(float (&numbers)[count], const Bfloat16* from) {
    if constexpr (count == 4) {
        const uint2 pairs = *reinterpret_cast<const uint2*>(from);
        numbers[0] = widened(pairs.x & 0xffffu), numbers[1] = __uint_as_float(pairs.x & 0xffff0000u);
        numbers[2] = widened(pairs.y & 0xffffu), numbers[3] = __uint_as_float(pairs.y & 0xffff0000u);
    } else {
        static_assert(count == 1);
        numbers[0] = widened(from->bits);
    }
}
template <int count>
__device__ void write_some(float* to, const float (&numbers)[count]) {
    if constexpr (count == 4) {
        *reinterpret_cast<float4*>(to) = {numbers[0], numbers[1], numbers[2], numbers[3]};
    } else {
        static_assert(count == 1);
        *to = numbers[0];
    }
}
template <int count>
__device__ void write_some(Bfloat16* to, const float (&numbers)[count]) {
    if constexpr (count == 4) {
        *reinterpret_cast<uint2*>(to) = {rounded_pair(numbers[0], numbers[1]),
                                         rounded_pair(numbers[2], numbers[3])};
    } else {
        static_assert(count == 1);
        *to = nearest_bfloat16(numbers[0]);
    }
}

/// Calls run.template operator()<count>() with as many neighbours at once as rows of `columns` numbers allow.
template <class Run>
void for_neighbours(std::int64_t columns, Run run) {
    if (columns % 4 == 0)
        run.template operator()<4>();
    else
        run.template operator()<1>();
}

/// The same sum on every lane, in a fixed order.
template <class Number>
__device__ Number sum_over_lanes(Number value) {
    for (int distance = lanes / 2; distance > 0; distance /= 2)
        value += __shfl_xor_sync(all_lanes, value, distance);
    return value;
}

__device__ inline float largest_of_lanes(float value) {
    for (int distance = lanes / 2; distance > 0; distance /= 2)
        value = fmaxf(value, __shfl_xor_sync(all_lanes, value, distance));
    return value;
}

/// The same sum on every thread of the block, in a fixed order. `places` are 32 numbers of shared memory,
/// which the caller does not use before the block's next barrier.
template <class Number>
__device__ Number sum_over_block(Number value, Number* places) {
    const int lane = threadIdx.x % lanes, warp = threadIdx.x / lanes, warps = blockDim.x / lanes;
    value = sum_over_lanes(value);
    __syncthreads();
    if (lane == 0) places[warp] = value;
    __syncthreads();
    return sum_over_lanes(lane < warps ? places[lane] : Number{0});
}

__device__ inline float largest_of_block(float value, float* places) {
    const int lane = threadIdx.x % lanes, warp = threadIdx.x / lanes, warps = blockDim.x / lanes;
    value = largest_of_lanes(value);
    __syncthreads();
    if (lane == 0) places[warp] = value;
    __syncthreads();
    return largest_of_lanes(lane < warps ? places[lane] : places[0]);
}

}  // namespace isogrid::kernels::cuda
