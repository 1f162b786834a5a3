#include "train/bench/peak.hpp"

#include "kernels/cpu/cpu_backend.hpp"

namespace isogrid::bench {

#if defined(__x86_64__)
namespace {

constexpr int rounds = 5000, avx2_sums = 12, avx512_sums = 24;

// In assembler, since compilers keep an array of sums in memory or see that nobody wants it. The sums are
// enough to hide the latency of two multiply-adds a cycle.
#define ISOGRID_FOR_12(DO) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define ISOGRID_FOR_24(DO)                                                                                   \
    DO(8)                                                                                                    \
    DO(9)                                                                                                    \
    DO(10)                                                                                                   \
    DO(11)                                                                                                   \
    DO(12)                                                                                                   \
    DO(13) DO(14) DO(15) DO(16) DO(17) DO(18) DO(19) DO(20) DO(21) DO(22) DO(23) DO(24) DO(25) DO(26) DO(27) \
        DO(28) DO(29) DO(30) DO(31)
#define ISOGRID_CLEAR_YMM(I) "vxorps %%ymm" #I ", %%ymm" #I ", %%ymm" #I "\n"
#define ISOGRID_CLEAR_ZMM(I) "vpxord %%zmm" #I ", %%zmm" #I ", %%zmm" #I "\n"
#define ISOGRID_FMA_YMM(I) "vfmadd231ps %%ymm0, %%ymm1, %%ymm" #I "\n"
#define ISOGRID_FMA_ZMM(I) "vfmadd231ps %%zmm0, %%zmm1, %%zmm" #I "\n"
#define ISOGRID_DOT_ZMM(I) "vdpbf16ps %%zmm0, %%zmm1, %%zmm" #I "\n"
#define ISOGRID_CHANGED(I) , "xmm" #I
#define ISOGRID_LOOP(VECTOR, FOR, CLEAR, MULTIPLY_ADD)                                       \
    int left = rounds;                                                                       \
    asm volatile("vbroadcastss %1, %%" VECTOR "0\n vmovaps %%" VECTOR "0, %%" VECTOR         \
                 "1\n" FOR(CLEAR) "1:\n" FOR(MULTIPLY_ADD) "decl %0\n jnz 1b\n vzeroupper\n" \
                 : "+r"(left)                                                                \
                 : "m"(factors)                                                              \
                 : "cc", "xmm0", "xmm1" FOR(ISOGRID_CHANGED))

const unsigned factors = 0x3a833a83;  // 0.001 as float32, and twice 0.001 in bfloat16

__attribute__((target("avx2,fma"))) void avx2() {
    ISOGRID_LOOP("ymm", ISOGRID_FOR_12, ISOGRID_CLEAR_YMM, ISOGRID_FMA_YMM);
}
__attribute__((target("avx512f"))) void avx512() {
    ISOGRID_LOOP("zmm", ISOGRID_FOR_24, ISOGRID_CLEAR_ZMM, ISOGRID_FMA_ZMM);
}
__attribute__((target("avx512f,avx512bf16"))) void avx512_bf16() {
    ISOGRID_LOOP("zmm", ISOGRID_FOR_24, ISOGRID_CLEAR_ZMM, ISOGRID_DOT_ZMM);
}

constexpr int tile_sums = 6, tile_rounds = 500;
constexpr double tile_flops = 2.0 * 16 * 16 * 32;

/// Tiles as kernels/cpu/simd/tiles.hpp configures them; six of sums, two of factors, all zero.
void amx() {
    struct Configuration {
        unsigned char palette = 1, start_row = 0, reserved[14] = {};
        unsigned short row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
        unsigned char rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    };
    alignas(64) static const Configuration configuration;
    int left = tile_rounds;
    asm volatile(
        "ldtilecfg %1\n"
        "1:\n"
        "tdpbf16ps %%tmm7, %%tmm6, %%tmm0\n tdpbf16ps %%tmm7, %%tmm6, %%tmm1\n"
        "tdpbf16ps %%tmm7, %%tmm6, %%tmm2\n tdpbf16ps %%tmm7, %%tmm6, %%tmm3\n"
        "tdpbf16ps %%tmm7, %%tmm6, %%tmm4\n tdpbf16ps %%tmm7, %%tmm6, %%tmm5\n"
        "decl %0\n jnz 1b\n tilerelease\n"
        : "+r"(left)
        : "m"(configuration)
        : "cc");
}

}  // namespace

std::vector<MultiplyAdds> multiply_adds() {
    std::vector<MultiplyAdds> found;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        found.push_back({"avx2", "float32", 2.0 * 8 * avx2_sums * rounds, avx2});
    if (__builtin_cpu_supports("avx512f"))
        found.push_back({"avx512", "float32", 2.0 * 16 * avx512_sums * rounds, avx512});
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16"))
        found.push_back({"avx512_bf16", "bfloat16", 2.0 * 32 * avx512_sums * rounds, avx512_bf16});
    if (kernels::cpu::supported(kernels::cpu::InstructionSet::amx))
        found.push_back({"amx", "bfloat16", tile_flops * tile_sums * tile_rounds, amx});
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
