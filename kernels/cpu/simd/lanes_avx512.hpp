// Sixteen floats at a time in one AVX-512 register.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace isogrid::kernels::cpu::ISOGRID_ISA {

using Lanes = __m512;  // has + - * / by GCC's vector extension

/// Rows of a product tile, sixteen columns wide, whose sums fit the 32 registers.
constexpr int tile_rows = 16;

/// All sixteen lanes, or only the first `count` of them.
struct Full {};
struct Part {
    __mmask16 mask;
    explicit Part(int64_t count) : mask(static_cast<__mmask16>((1u << count) - 1)) {}
};

inline Lanes broadcast(float value) {
    return _mm512_set1_ps(value);
}
inline Lanes load(const float* from, Full) {
    return _mm512_loadu_ps(from);
}
inline Lanes load(const float* from, Part part, float fill = 0) {
    return _mm512_mask_loadu_ps(broadcast(fill), part.mask, from);
}
inline void store(float* to, Lanes value, Full) {
    _mm512_storeu_ps(to, value);
}
inline void store(float* to, Lanes value, Part part) {
    _mm512_mask_storeu_ps(to, part.mask, value);
}

/// a * b + c, rounded once.
inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) {
    return _mm512_fmadd_ps(a, b, c);
}
/// The larger, the smaller; b where either is not a number.
inline Lanes maximum(Lanes a, Lanes b) {
    return _mm512_max_ps(a, b);
}
inline Lanes minimum(Lanes a, Lanes b) {
    return _mm512_min_ps(a, b);
}
inline Lanes square_root(Lanes a) {
    return _mm512_sqrt_ps(a);
}
inline Lanes round_to_even(Lanes a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT);
}
/// a * 2^n for whole n.
inline Lanes scale_by_power_of_two(Lanes a, Lanes n) {
    return _mm512_scalef_ps(a, n);
}

/// x = 2^n m with n whole and m in [sqrt(1/2), sqrt(2)), for positive normal x.
inline void split_by_power_of_two(Lanes x, Lanes& n, Lanes& m) {
    // Subtracting sqrt(1/2) from the bits makes the exponent field count from there.
    const __m512i root_half = _mm512_set1_epi32(0x3f3504f3);
    const __m512i exponent = _mm512_srai_epi32(_mm512_sub_epi32(_mm512_castps_si512(x), root_half), 23);
    n = _mm512_cvtepi32_ps(exponent);
    m = _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_castps_si512(x), _mm512_slli_epi32(exponent, 23)));
}

/// a0 b0 a1 b1 ... of the first eight lanes, and of the last eight.
inline Lanes interleave_low(Lanes a, Lanes b) {
    return _mm512_permutex2var_ps(
        a, _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), b);
}
inline Lanes interleave_high(Lanes a, Lanes b) {
    return _mm512_permutex2var_ps(
        a, _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), b);
}

inline __m256 low_half(Lanes a) {
    return _mm512_castps512_ps256(a);
}
inline __m256 high_half(Lanes a) {
    return _mm512_extractf32x8_ps(a, 1);
}

/// Sixteen doubles, lane for lane with Lanes.
struct DoubleLanes {
    __m512d part[2];
};

inline DoubleLanes widen(Lanes a) {
    return {{_mm512_cvtps_pd(low_half(a)), _mm512_cvtps_pd(high_half(a))}};
}
inline DoubleLanes operator+(const DoubleLanes& a, const DoubleLanes& b) {
    return {{a.part[0] + b.part[0], a.part[1] + b.part[1]}};
}
inline DoubleLanes operator*(const DoubleLanes& a, const DoubleLanes& b) {
    return {{a.part[0] * b.part[0], a.part[1] * b.part[1]}};
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
