#include "train/bench/peak.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace isogrid::bench {

#if defined(__x86_64__)
namespace {

constexpr int rounds = 5000;

// Sums enough to hide the latency of two multiply-adds a cycle, and few enough to stay in registers. The
// empty assembler statement makes each sum's value needed, so that the compiler neither joins nor drops them.
#define ISOGRID_BENCH_MULTIPLY_ADDS(NAME, TARGET, SUMS, VECTOR, ZERO, LOAD, MULTIPLY_ADD) \
    __attribute__((target(TARGET))) void NAME() {                                         \
        VECTOR sums[SUMS];                                                                \
        for (VECTOR & sum : sums)                                                         \
            sum = ZERO;                                                                   \
        auto a = LOAD, b = LOAD;                                                          \
        asm volatile("" : "+v"(a), "+v"(b));                                              \
        for (int round = 0; round < rounds; ++round) {                                    \
            _Pragma("GCC unroll 24") for (int i = 0; i < SUMS; ++i) {                     \
                sums[i] = MULTIPLY_ADD;                                                   \
                asm volatile("" : "+v"(sums[i]));                                         \
            }                                                                             \
        }                                                                                 \
    }

constexpr int avx2_sums = 12, avx512_sums = 24;

ISOGRID_BENCH_MULTIPLY_ADDS(avx2, "avx2,fma", avx2_sums, __m256, _mm256_setzero_ps(), _mm256_set1_ps(1e-3f),
                            _mm256_fmadd_ps(a, b, sums[i]))
ISOGRID_BENCH_MULTIPLY_ADDS(avx512, "avx512f", avx512_sums, __m512, _mm512_setzero_ps(),
                            _mm512_set1_ps(1e-3f), _mm512_fmadd_ps(a, b, sums[i]))
ISOGRID_BENCH_MULTIPLY_ADDS(avx512_bf16, "avx512f,avx512bf16", avx512_sums, __m512, _mm512_setzero_ps(),
                            (__m512bh)_mm512_set1_epi16(0x3a83),  // 0.001 in bfloat16
                            _mm512_dpbf16_ps(sums[i], a, b))

#undef ISOGRID_BENCH_MULTIPLY_ADDS

}  // namespace

std::vector<MultiplyAdds> multiply_adds() {
    std::vector<MultiplyAdds> found;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        found.push_back({"avx2", "float32", 2.0 * 8 * avx2_sums * rounds, avx2});
    if (__builtin_cpu_supports("avx512f"))
        found.push_back({"avx512", "float32", 2.0 * 16 * avx512_sums * rounds, avx512});
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16"))
        found.push_back({"avx512_bf16", "bfloat16", 2.0 * 32 * avx512_sums * rounds, avx512_bf16});
    return found;
}
#else
std::vector<MultiplyAdds> multiply_adds() {
    return {};
}
#endif

bool serves(const std::string& multiply_add_precision, const std::string& precision) {
    return multiply_add_precision == "float32" || multiply_add_precision == precision;
}

}  // namespace isogrid::bench
