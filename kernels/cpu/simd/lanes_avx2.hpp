// Sixteen floats at a time in two AVX2 registers: the same arithmetic as lanes_avx512.hpp, lane for lane.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace isogrid::kernels::cpu::ISOGRID_ISA {

struct Lanes {
    __m256 low, high;
};

/// Product tiles whose sums fit the 16 registers: rows, and panels of sixteen columns; rows of a single
/// panel.
constexpr int tile_rows = 6, tile_panels = 1, narrow_tile_rows = 6;

inline Lanes operator+(Lanes a, Lanes b) {
    return {a.low + b.low, a.high + b.high};
}
inline Lanes operator-(Lanes a, Lanes b) {
    return {a.low - b.low, a.high - b.high};
}
inline Lanes operator*(Lanes a, Lanes b) {
    return {a.low * b.low, a.high * b.high};
}
inline Lanes operator/(Lanes a, Lanes b) {
    return {a.low / b.low, a.high / b.high};
}

/// All sixteen lanes, or only the first `count` of them.
struct Full {};
struct Part {
    __m256i low, high;
    int64_t count;
    explicit Part(int64_t lanes_of_it) : count(lanes_of_it) {
        const __m256i last = _mm256_set1_epi32(static_cast<int>(count));
        low = _mm256_cmpgt_epi32(last, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
        high = _mm256_cmpgt_epi32(last, _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15));
    }
};

inline Lanes broadcast(float value) {
    return {_mm256_set1_ps(value), _mm256_set1_ps(value)};
}
inline Lanes load(const float* from, Full) {
    return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)};
}
inline Lanes load(const float* from, Part part, float fill = 0) {
    const __m256 filler = _mm256_set1_ps(fill);
    return {
        _mm256_blendv_ps(filler, _mm256_maskload_ps(from, part.low), _mm256_castsi256_ps(part.low)),
        _mm256_blendv_ps(filler, _mm256_maskload_ps(from + 8, part.high), _mm256_castsi256_ps(part.high))};
}
inline void store(float* to, Lanes value, Full) {
    _mm256_storeu_ps(to, value.low);
    _mm256_storeu_ps(to + 8, value.high);
}
inline void store(float* to, Lanes value, Part part) {
    _mm256_maskstore_ps(to, part.low, value.low);
    _mm256_maskstore_ps(to + 8, part.high, value.high);
}

/// a * b + c, rounded once.
inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
/// The word of four bytes at `from` in every lane, whatever it holds.
inline Lanes broadcast_word(const float* from) {
    float word;
    __builtin_memcpy(&word, from, sizeof word);
    return broadcast(word);
}

inline __m256 widened(__m128i half) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
inline Lanes load(const Bfloat16* from, Full) {
    return {widened(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))),
            widened(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 8)))};
}
inline Lanes load(const Bfloat16* from, Part part) {
    Bfloat16 all[16] = {};
    for (int64_t i = 0; i < part.count; ++i)
        all[i] = from[i];
    return load(all, Full{});
}

/// To the nearest bfloat16, ties to even, in the lower halves of words; numbers below 2^-126 become zero.
inline __m256i rounded_words(__m256 a) {
    const __m256i bits = _mm256_castps_si256(a), upper = _mm256_srli_epi32(bits, 16);
    const __m256i last = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    const __m256i half = _mm256_add_epi32(_mm256_set1_epi32(0x7fff), last);
    __m256i to = _mm256_srli_epi32(_mm256_add_epi32(bits, half), 16);
    const __m256i exponent = _mm256_and_si256(bits, _mm256_set1_epi32(0x7f800000));
    const __m256i small = _mm256_cmpeq_epi32(exponent, _mm256_setzero_si256());
    to = _mm256_blendv_epi8(to, _mm256_and_si256(upper, _mm256_set1_epi32(0x8000)), small);
    const __m256i no_number = _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(to, _mm256_or_si256(upper, _mm256_set1_epi32(0x40)), no_number);
}
inline __m256i rounded(Lanes a) {
    const __m256i both = _mm256_packus_epi32(rounded_words(a.low), rounded_words(a.high));
    return _mm256_permute4x64_epi64(both, 0xd8);  // packing works within halves of the register
}
inline void store(Bfloat16* to, Lanes value, Full) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), rounded(value));
}
inline void store(Bfloat16* to, Lanes value, Part part) {
    Bfloat16 all[16];
    store(all, value, Full{});
    for (int64_t i = 0; i < part.count; ++i)
        to[i] = all[i];
}

/// A word a lane: `even` rounded in its lower half, `odd` in its upper half.
inline __m256 pair(__m256 even, __m256 odd) {
    return _mm256_castsi256_ps(
        _mm256_or_si256(rounded_words(even), _mm256_slli_epi32(rounded_words(odd), 16)));
}
inline Lanes pair(Lanes even, Lanes odd) {
    return {pair(even.low, odd.low), pair(even.high, odd.high)};
}
template <class Columns>
inline Lanes pair(const Bfloat16* even, const Bfloat16* odd, Columns columns) {
    // A number loaded stands in the upper half of its lane.
    const auto words = [](__m256 lower, __m256 upper) {
        return _mm256_or_ps(_mm256_castsi256_ps(_mm256_srli_epi32(_mm256_castps_si256(lower), 16)), upper);
    };
    const Lanes lower = load(even, columns), upper = load(odd, columns);
    return {words(lower.low, upper.low), words(lower.high, upper.high)};
}
/// Thirty-two numbers rounded, in sixteen words, in the order of memory.
inline Lanes words(Lanes first, Lanes second) {
    return {_mm256_castsi256_ps(rounded(first)), _mm256_castsi256_ps(rounded(second))};
}
/// The first sixteen of thirty-two numbers, and the others.
inline void store_halves(Bfloat16* first, Bfloat16* second, Lanes words) {
    _mm256_storeu_ps(reinterpret_cast<float*>(first), words.low);
    _mm256_storeu_ps(reinterpret_cast<float*>(second), words.high);
}

/// c + a b over two bfloat16 a lane, the upper ones first, each product added with one rounding.
inline __m256 multiply_add_pairs(__m256 a, __m256 b, __m256 c) {
    const auto upper = [](__m256 word) {
        return _mm256_castsi256_ps(
            _mm256_and_si256(_mm256_castps_si256(word), _mm256_set1_epi32(int(0xffff0000))));
    };
    const auto lower = [](__m256 word) {
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(word), 16));
    };
    return _mm256_fmadd_ps(lower(a), lower(b), _mm256_fmadd_ps(upper(a), upper(b), c));
}
inline Lanes multiply_add_pairs(Lanes a, Lanes b, Lanes c) {
    return {multiply_add_pairs(a.low, b.low, c.low), multiply_add_pairs(a.high, b.high, c.high)};
}

/// The larger, the smaller; b where either is not a number.
inline Lanes maximum(Lanes a, Lanes b) {
    return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
inline Lanes minimum(Lanes a, Lanes b) {
    return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}
inline Lanes square_root(Lanes a) {
    return {_mm256_sqrt_ps(a.low), _mm256_sqrt_ps(a.high)};
}
inline Lanes round_to_even(Lanes a) {
    constexpr int nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return {_mm256_round_ps(a.low, nearest), _mm256_round_ps(a.high, nearest)};
}

/// a * 2^n for whole n in [-252, 254], in two factors so that each is a normal number and only the last
/// product rounds.
inline __m256 scale_by_power_of_two(__m256 a, __m256 n) {
    const __m256i exponent = _mm256_cvtps_epi32(n);
    const __m256i first = _mm256_srai_epi32(exponent, 1);
    const __m256i second = _mm256_sub_epi32(exponent, first);
    const __m256i bias = _mm256_set1_epi32(127);
    const __m256 one = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(first, bias), 23));
    const __m256 two = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(second, bias), 23));
    return a * one * two;
}
inline Lanes scale_by_power_of_two(Lanes a, Lanes n) {
    return {scale_by_power_of_two(a.low, n.low), scale_by_power_of_two(a.high, n.high)};
}

/// x = 2^n m with n whole and m in [sqrt(1/2), sqrt(2)), for positive normal x.
inline void split_by_power_of_two(__m256 x, __m256& n, __m256& m) {
    // Subtracting sqrt(1/2) from the bits makes the exponent field count from there.
    const __m256i root_half = _mm256_set1_epi32(0x3f3504f3);
    const __m256i exponent = _mm256_srai_epi32(_mm256_sub_epi32(_mm256_castps_si256(x), root_half), 23);
    n = _mm256_cvtepi32_ps(exponent);
    m = _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_castps_si256(x), _mm256_slli_epi32(exponent, 23)));
}
inline void split_by_power_of_two(Lanes x, Lanes& n, Lanes& m) {
    split_by_power_of_two(x.low, n.low, m.low);
    split_by_power_of_two(x.high, n.high, m.high);
}

/// a0 b0 a1 b1 ... of the first eight lanes, and of the last eight.
inline Lanes interleave(__m256 a, __m256 b) {
    const __m256 even = _mm256_unpacklo_ps(a, b), odd = _mm256_unpackhi_ps(a, b);
    return {_mm256_permute2f128_ps(even, odd, 0x20), _mm256_permute2f128_ps(even, odd, 0x31)};
}
inline Lanes interleave_low(Lanes a, Lanes b) {
    return interleave(a.low, b.low);
}
inline Lanes interleave_high(Lanes a, Lanes b) {
    return interleave(a.high, b.high);
}

/// Eight numbers in the first eight lanes, and again in the last eight.
inline Lanes load_twice(const float* from) {
    return {_mm256_loadu_ps(from), _mm256_loadu_ps(from)};
}
/// The last eight lanes before the first eight.
inline Lanes swap_halves(Lanes a) {
    return {a.high, a.low};
}

inline __m256 low_half(Lanes a) {
    return a.low;
}
inline __m256 high_half(Lanes a) {
    return a.high;
}

/// Sixteen doubles, lane for lane with Lanes.
struct DoubleLanes {
    __m256d part[4];
};

inline DoubleLanes widen(Lanes a) {
    return {{_mm256_cvtps_pd(_mm256_castps256_ps128(a.low)), _mm256_cvtps_pd(_mm256_extractf128_ps(a.low, 1)),
             _mm256_cvtps_pd(_mm256_castps256_ps128(a.high)),
             _mm256_cvtps_pd(_mm256_extractf128_ps(a.high, 1))}};
}
inline DoubleLanes operator+(const DoubleLanes& a, const DoubleLanes& b) {
    return {{a.part[0] + b.part[0], a.part[1] + b.part[1], a.part[2] + b.part[2], a.part[3] + b.part[3]}};
}
inline DoubleLanes operator*(const DoubleLanes& a, const DoubleLanes& b) {
    return {{a.part[0] * b.part[0], a.part[1] * b.part[1], a.part[2] * b.part[2], a.part[3] * b.part[3]}};
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
