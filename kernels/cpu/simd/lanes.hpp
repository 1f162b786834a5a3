// Sixteen floats at a time, the same source and the same bits under AVX2 and AVX-512.
//
// The files of this folder are compiled once for each instruction set, in a namespace of its name
// (ISOGRID_ISA). They call no inline function of the standard library: the linker keeps one copy of such a
// function for the whole program, and it might be one that the processor cannot run. Multiplications and
// additions are fused only where multiply_add says so (-ffp-contract=off).
#pragma once

#include "kernels/backend.hpp"

#ifdef __AVX512F__
#include "kernels/cpu/simd/lanes_avx512.hpp"
#else
#include "kernels/cpu/simd/lanes_avx2.hpp"
#endif

namespace isogrid::kernels::cpu::ISOGRID_ISA {

constexpr int64_t lanes = 16;

inline int64_t round_up_to_lanes(int64_t count) {
    return (count + lanes - 1) / lanes * lanes;
}

/// Calls work(i, Full) for each whole run of lanes in [0, count) and work(i, Part) for what is left.
template <class Work>
inline void for_lanes(int64_t count, Work work) {
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes)
        work(i, Full{});
    if (i < count) work(i, Part(count - i));
}

/// While it lives, numbers below 2^-126 count as zero in float32 arithmetic too, as they do in the
/// processors' own products of bfloat16: so that all instruction sets give the same bits.
class SmallNumbersAreZero {
  public:
    SmallNumbersAreZero() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
    ~SmallNumbersAreZero() { _mm_setcsr(before_); }
    SmallNumbersAreZero(const SmallNumbersAreZero&) = delete;
    SmallNumbersAreZero& operator=(const SmallNumbersAreZero&) = delete;

  private:
    unsigned before_;
};

constexpr float infinity = __builtin_inff();

/// Minus infinity in the lanes that are not loaded: nothing to a maximum, and exp makes it 0.
inline Lanes load_or_lowest(const float* from, Full full) {
    return load(from, full);
}
inline Lanes load_or_lowest(const float* from, Part part) {
    return load(from, part, -infinity);
}

/// Halves are added until one lane is left: the same tree everywhere.
inline float sum(Lanes values) {
    const __m256 eight = low_half(values) + high_half(values);
    const __m128 four = _mm256_castps256_ps128(eight) + _mm256_extractf128_ps(eight, 1);
    const __m128 two = four + _mm_movehl_ps(four, four);
    return two[0] + two[1];
}

inline double sum(const DoubleLanes& values) {
    double all[lanes];
    __builtin_memcpy(all, values.part, sizeof all);
    for (int64_t half = lanes / 2; half > 0; half /= 2)
        for (int64_t i = 0; i < half; ++i)
            all[i] += all[i + half];
    return all[0];
}

inline float largest(Lanes values) {
    const __m256 eight = _mm256_max_ps(low_half(values), high_half(values));
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return two[0] > two[1] ? two[0] : two[1];
}

/// Transposes sixteen rows of sixteen. Interleaving the first half of the rows with the second half moves the
/// highest bit of the row number below the bits of the column number; four times moves them all.
inline void transpose(Lanes (&rows)[lanes]) {
#pragma GCC unroll 4
    for (int bit = 0; bit < 4; ++bit) {
        Lanes next[lanes];
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) {
            next[2 * i] = interleave_low(rows[i], rows[i + 8]);
            next[2 * i + 1] = interleave_high(rows[i], rows[i + 8]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < 16; ++i)
            rows[i] = next[i];
    }
}

/// exp(x) within 2 units in the last place; 0 below -104, infinity above 88.8, not-a-number stays.
/// x = n ln2 + r with |r| <= ln2 / 2, and exp(r) by the minimax polynomial of Cephes' expf (Moshier 1992).
inline Lanes exponential(Lanes x) {
    x = minimum(broadcast(89.0f), maximum(broadcast(-104.5f), x));
    const Lanes n = round_to_even(x * broadcast(1.44269504088896341f));
    // ln2 in two parts: n times the first is exact.
    const Lanes r = multiply_add(n, broadcast(2.12194440e-4f), multiply_add(n, broadcast(-0.693359375f), x));
    Lanes p = broadcast(1.9875691500e-4f);
    p = multiply_add(p, r, broadcast(1.3981999507e-3f));
    p = multiply_add(p, r, broadcast(8.3334519073e-3f));
    p = multiply_add(p, r, broadcast(4.1665795894e-2f));
    p = multiply_add(p, r, broadcast(1.6666665459e-1f));
    p = multiply_add(p, r, broadcast(5.0000001201e-1f));
    return scale_by_power_of_two(multiply_add(p, r * r, r) + broadcast(1.0f), n);
}

/// 2^x for x up to 128, where it is infinity, within 2 units in the last place; 0 below -150, not-a-number
/// stays. x = n + r with |r| <= 1/2, and 2^r by the polynomial of least largest relative error (2e-9), its
/// constant fixed at 1.
inline Lanes exponential2(Lanes x) {
    x = maximum(broadcast(-150.5f), x);
    const Lanes n = round_to_even(x), r = x - n;
    Lanes p = broadcast(1.5353362e-4f);
    p = multiply_add(p, r, broadcast(1.3398875e-3f));
    p = multiply_add(p, r, broadcast(9.618437e-3f));
    p = multiply_add(p, r, broadcast(5.5503324e-2f));
    p = multiply_add(p, r, broadcast(2.4022648e-1f));
    p = multiply_add(p, r, broadcast(6.931472e-1f));
    return scale_by_power_of_two(multiply_add(p, r, broadcast(1.0f)), n);
}

/// The same with a relative error of 1.1e-4, for numbers that are then rounded to 8 bits.
inline Lanes rough_exponential2(Lanes x) {
    x = maximum(broadcast(-150.5f), x);
    const Lanes n = round_to_even(x), r = x - n;
    Lanes p = broadcast(5.500893e-2f);
    p = multiply_add(p, r, broadcast(2.4221097e-1f));
    p = multiply_add(p, r, broadcast(6.932829e-1f));
    return scale_by_power_of_two(multiply_add(p, r, broadcast(1.0f)), n);
}

/// The natural logarithm of positive normal numbers, within 2 units in the last place; not-a-number stays,
/// and infinity becomes it. x = 2^n m with m in [sqrt(1/2), sqrt(2)), and log(m) by the polynomial of Cephes'
/// logf (Moshier 1992).
inline Lanes logarithm(Lanes x) {
    Lanes n, m;
    split_by_power_of_two(x, n, m);
    const Lanes r = m - broadcast(1.0f), square = r * r;
    Lanes p = multiply_add(x, broadcast(0.0f), broadcast(7.0376836292e-2f));
    p = multiply_add(p, r, broadcast(-1.1514610310e-1f));
    p = multiply_add(p, r, broadcast(1.1676998740e-1f));
    p = multiply_add(p, r, broadcast(-1.2420140846e-1f));
    p = multiply_add(p, r, broadcast(1.4249322787e-1f));
    p = multiply_add(p, r, broadcast(-1.6668057665e-1f));
    p = multiply_add(p, r, broadcast(2.0000714765e-1f));
    p = multiply_add(p, r, broadcast(-2.4999993993e-1f));
    p = multiply_add(p, r, broadcast(3.3333331174e-1f));
    const Lanes curved = multiply_add(n, broadcast(-2.12194440e-4f), p * square * r);
    const Lanes bent = multiply_add(square, broadcast(-0.5f), curved);
    return multiply_add(n, broadcast(0.693359375f), r + bent);
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
