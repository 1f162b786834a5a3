// Instructions which CUDA C++ has no names for, those of the tensor cores among them, as the PTX ISA (version
// 9.0, "Matrix multiply-accumulate operation using mma instruction", "ldmatrix", "ex2" and "cp.async") has
// them. Tests
// put an emulation in this header's place (tests/kernels/cuda_on_cpu/kernels/cuda/ptx.hpp). Every lane of a
// warp takes part.
#pragma once

#include <cstdint>
#include <cuda_runtime.h>

namespace isogrid::kernels::cuda {

/// Two numbers rounded to bfloat16, the first in the lower half of the word, as kernels/bfloat16.hpp rounds
/// but for the bits of not-a-number.
__device__ inline std::uint32_t rounded_pair(float first, float second) {
    std::uint32_t word;
    asm("{\n\t"
        ".reg .f32 low, high;\n\t"
        "mul.ftz.f32 low, %1, 0f3f800000;\n\t"  // makes zero of denormal numbers, which the next would keep
        "mul.ftz.f32 high, %2, 0f3f800000;\n\t"
        "cvt.rn.bf16x2.f32 %0, high, low;\n\t"
        "}"
        : "=r"(word)
        : "f"(first), "f"(second));
    return word;
}

/// The same in one instruction instead of three, for numbers that are not denormal, or where it is all one.
__device__ inline std::uint32_t rounded_normal_pair(float first, float second) {
    std::uint32_t word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
    return word;
}

/// 2^x, off by 2^-22 of itself at most; below 2^-126 it is zero, which exp2f takes three instructions more to
/// avoid.
__device__ inline float power_of_two(float x) {
    float power;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
    return power;
}

/// sums (16, 8) += left (16, 16) right (16, 8), bfloat16 with sums in float32. With group = lane / 4 and
/// pair = 2 (lane % 4), a lane holds of
///   sums   (group, pair), (group, pair + 1), (group + 8, pair), (group + 8, pair + 1)
///   left   words of two columns: (group, pair), (group + 8, pair), (group, pair + 8), (group + 8, pair + 8)
///   right  words of two rows: (pair, group), (pair + 8, group)
__device__ inline void multiply_tile(float (&sums)[4], const std::uint32_t (&left)[4],
                                     std::uint32_t right_low, std::uint32_t right_high) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right_low), "r"(right_high));
}

/// Four 8 x 8 matrices of bfloat16 from shared memory: `row` of lane l is where row l % 8 of matrix l / 8
/// begins, at a multiple of 16 bytes. words[m] gets columns 2 (lane % 4) and the next of row lane / 4.
__device__ inline void load_tiles(std::uint32_t (&words)[4], const void* row) {
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address)
                 : "memory");
}

/// The same of their transposes: rows 2 (lane % 4) and the next of column lane / 4.
__device__ inline void load_tiles_transposed(std::uint32_t (&words)[4], const void* row) {
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address)
                 : "memory");
}

/// Begins to copy 16 bytes of the card's memory into shared memory, past the registers; both places are
/// multiples of 16 bytes. Who begins a copy sees its bytes after wait_for_copies, and the rest of the block
/// after a barrier that follows.
__device__ inline void begin_copy(void* to, const void* from) {
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(to));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
                 :
                 : "r"(address), "l"(__cvta_generic_to_global(from))
                 : "memory");
}

/// Waits for the copies that this thread has begun.
__device__ inline void wait_for_copies() {
    asm volatile("cp.async.wait_all;" : : : "memory");
}

}  // namespace isogrid::kernels::cuda
