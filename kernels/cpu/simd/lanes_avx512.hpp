// Sixteen floats at a time in one AVX-512 register.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace isogrid::kernels::cpu::ISOGRID_ISA {

using Lanes = __m512;  // has + - * / by GCC's vector extension

/// Product tiles whose sums fit the 32 registers: rows, and panels of sixteen columns; rows of a single
/// panel.
constexpr int tile_rows = 12, tile_panels = 2, narrow_tile_rows = 16;

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
/// The word of four bytes at `from` in every lane, whatever it holds.
inline Lanes broadcast_word(const float* from) {
    float word;
    __builtin_memcpy(&word, from, sizeof word);
    return _mm512_set1_ps(word);
}

inline Lanes load(const Bfloat16* from, Full) {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
inline Lanes load(const Bfloat16* from, Part part) {
    const __m256i half = _mm256_maskz_loadu_epi16(part.mask, from);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

#ifdef __AVX512BF16__

/// To the nearest bfloat16, ties to even; numbers below 2^-126 become zero.
inline __m256i rounded(Lanes a) {
    return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(a));
}

/// Thirty-two numbers rounded, in sixteen words, in the order of memory.
inline Lanes words(Lanes first, Lanes second) {
    return reinterpret_cast<__m512>(_mm512_cvtne2ps_pbh(second, first));
}

/// c + a b over two bfloat16 a lane, the upper ones first, each product added with one rounding; numbers
/// below 2^-126 count as zero.
inline Lanes multiply_add_pairs(Lanes a, Lanes b, Lanes c) {
    return _mm512_dpbf16_ps(c, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}

#else

inline __m256i rounded(Lanes a) {
    const __m512i bits = _mm512_castps_si512(a), upper = _mm512_srli_epi32(bits, 16);
    const __m512i last = _mm512_and_epi32(upper, _mm512_set1_epi32(1));
    const __m512i half = _mm512_add_epi32(_mm512_set1_epi32(0x7fff), last);
    __m512i to = _mm512_srli_epi32(_mm512_add_epi32(bits, half), 16);
    const __mmask16 small = _mm512_testn_epi32_mask(bits, _mm512_set1_epi32(0x7f800000));
    to = _mm512_mask_and_epi32(to, small, upper, _mm512_set1_epi32(0x8000));
    const __mmask16 no_number = _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
    to = _mm512_mask_or_epi32(to, no_number, upper, _mm512_set1_epi32(0x40));
    return _mm512_cvtepi32_epi16(to);
}

inline Lanes words(Lanes first, Lanes second) {
    return _mm512_castsi512_ps(
        _mm512_inserti64x4(_mm512_castsi256_si512(rounded(first)), rounded(second), 1));
}

inline Lanes multiply_add_pairs(Lanes a, Lanes b, Lanes c) {
    const auto upper = [](Lanes words) {
        return _mm512_castsi512_ps(
            _mm512_and_epi32(_mm512_castps_si512(words), _mm512_set1_epi32(int(0xffff0000))));
    };
    const auto lower = [](Lanes words) {
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(words), 16));
    };
    return multiply_add(lower(a), lower(b), multiply_add(upper(a), upper(b), c));
}

#endif

inline void store(Bfloat16* to, Lanes value, Full) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), rounded(value));
}
inline void store(Bfloat16* to, Lanes value, Part part) {
    _mm256_mask_storeu_epi16(to, part.mask, rounded(value));
}

/// Numbers 0, 16, 1, 17, ... of thirty-two.
inline Lanes interleave_halves(Lanes words) {
    alignas(64) static constexpr unsigned short order[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                             21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                             11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return _mm512_castsi512_ps(
        _mm512_permutexvar_epi16(_mm512_load_si512(order), _mm512_castps_si512(words)));
}
/// A word a lane: `even` rounded in its lower half, `odd` in its upper half.
inline Lanes pair(Lanes even, Lanes odd) {
    return interleave_halves(words(even, odd));
}
inline Lanes pair(const Bfloat16* even, const Bfloat16* odd, Full) {
    const __m512i first = _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(even)));
    const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(odd));
    return interleave_halves(_mm512_castsi512_ps(_mm512_inserti64x4(first, second, 1)));
}
inline Lanes pair(const Bfloat16* even, const Bfloat16* odd, Part part) {
    const __m512i first = _mm512_castsi256_si512(_mm256_maskz_loadu_epi16(part.mask, even));
    const __m256i second = _mm256_maskz_loadu_epi16(part.mask, odd);
    return interleave_halves(_mm512_castsi512_ps(_mm512_inserti64x4(first, second, 1)));
}
/// The first sixteen of thirty-two numbers, and the others.
inline void store_halves(Bfloat16* first, Bfloat16* second, Lanes words) {
    _mm256_storeu_ps(reinterpret_cast<float*>(first), _mm512_castps512_ps256(words));
    _mm256_storeu_ps(reinterpret_cast<float*>(second), _mm512_extractf32x8_ps(words, 1));
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

/// Eight numbers in the first eight lanes, and again in the last eight.
inline Lanes load_twice(const float* from) {
    return _mm512_broadcast_f32x8(_mm256_loadu_ps(from));
}
/// The last eight lanes before the first eight.
inline Lanes swap_halves(Lanes a) {
    return _mm512_shuffle_f32x4(a, a, 0x4e);
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
