// In the place of kernels/cuda/ptx.hpp: the same instructions, carried out by the emulated card as the PTX
// ISA describes them.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "cuda_runtime.h"
#include "kernels/bfloat16.hpp"

namespace isogrid::kernels::cuda {

inline std::uint32_t rounded_pair(float first, float second) {
    return std::uint32_t{rounded(first).bits} | std::uint32_t{rounded(second).bits} << 16;
}

inline std::uint32_t rounded_normal_pair(float first, float second) {
    const auto half = [](float value) {
        const std::uint32_t bits = __float_as_uint(value);
        return std::isnan(value) ? 0x7fffu : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    };
    return half(first) | half(second) << 16;
}

inline float power_of_two(float x) {
    const float power = std::exp2(x);
    return power < 0x1p-126f ? 0 : power;
}

namespace emulated {

inline float half_of(std::uint32_t word, int upper) {
    return __uint_as_float(upper != 0 ? word & 0xffff0000u : word << 16);
}

struct Factors {
    std::uint32_t left[4], right[2];
};

/// left(row, step) of the warp's factors.
inline float left_at(const cuda_on_cpu::Slot* slots, int row, int step) {
    Factors of_lane;
    std::memcpy(&of_lane, slots[row % 8 * 4 + step % 8 / 2].bytes, sizeof of_lane);
    return half_of(of_lane.left[row / 8 + 2 * (step / 8)], step % 2);
}

inline float right_at(const cuda_on_cpu::Slot* slots, int step, int column) {
    Factors of_lane;
    std::memcpy(&of_lane, slots[column * 4 + step % 8 / 2].bytes, sizeof of_lane);
    return half_of(of_lane.right[step / 8], step % 2);
}

/// Row `row` of the matrix whose rows begin where lanes 8 m to 8 m + 7 say.
inline std::uint16_t matrix_at(const cuda_on_cpu::Slot* slots, int matrix, int row, int column) {
    const std::uint16_t* begin;
    std::memcpy(&begin, slots[8 * matrix + row].bytes, sizeof begin);
    return begin[column];
}

inline const cuda_on_cpu::Slot* exchange_rows(const void* row) {
    if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0) cuda_on_cpu::stop("a row of a tile is not aligned");
    return cuda_on_cpu::exchange(&row, sizeof row);
}

}  // namespace emulated

inline void multiply_tile(float (&sums)[4], const std::uint32_t (&left)[4], std::uint32_t right_low,
                          std::uint32_t right_high) {
    const emulated::Factors mine{{left[0], left[1], left[2], left[3]}, {right_low, right_high}};
    const cuda_on_cpu::Slot* slots = cuda_on_cpu::exchange(&mine, sizeof mine);
    const int group = cuda_on_cpu::lane() / 4, pair = cuda_on_cpu::lane() % 4 * 2;
    for (int i = 0; i < 4; ++i)
        for (int step = 0; step < 16; ++step)
            sums[i] += emulated::left_at(slots, group + i / 2 * 8, step) *
                       emulated::right_at(slots, step, pair + i % 2);
}

inline void load_tiles(std::uint32_t (&words)[4], const void* row) {
    const cuda_on_cpu::Slot* slots = emulated::exchange_rows(row);
    const int group = cuda_on_cpu::lane() / 4, pair = cuda_on_cpu::lane() % 4 * 2;
    for (int matrix = 0; matrix < 4; ++matrix)
        words[matrix] = std::uint32_t{emulated::matrix_at(slots, matrix, group, pair)} |
                        std::uint32_t{emulated::matrix_at(slots, matrix, group, pair + 1)} << 16;
}

inline void load_tiles_transposed(std::uint32_t (&words)[4], const void* row) {
    const cuda_on_cpu::Slot* slots = emulated::exchange_rows(row);
    const int group = cuda_on_cpu::lane() / 4, pair = cuda_on_cpu::lane() % 4 * 2;
    for (int matrix = 0; matrix < 4; ++matrix)
        words[matrix] = std::uint32_t{emulated::matrix_at(slots, matrix, pair, group)} |
                        std::uint32_t{emulated::matrix_at(slots, matrix, pair + 1, group)} << 16;
}

inline void begin_copy(void* to, const void* from) {
    if (reinterpret_cast<std::uintptr_t>(to) % 16 != 0 || reinterpret_cast<std::uintptr_t>(from) % 16 != 0)
        cuda_on_cpu::stop("a copy into shared memory is not aligned");
    if (!cuda_on_cpu::on_card(from)) cuda_on_cpu::stop("a copy into shared memory is not from the card's");
    cuda_on_cpu::begin_copy(to, from, 16);
}

inline void wait_for_copies() {
    cuda_on_cpu::wait_for_copies();
}

}  // namespace isogrid::kernels::cuda
