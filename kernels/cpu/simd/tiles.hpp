// Products of bfloat16 on tiles: the instruction set of Intel AMX (Intel Software Developer's Manual, volume
// 1, chapter "Programming with Intel AMX"), and the same in plain C++ where there is none.
//
// One instruction takes sixteen steps, each a word of two bfloat16. It sums the lower numbers of the words
// and the upper ones in two chains, adds the two, and adds that to the sum. Other bits come of it than of the
// one chain of product.hpp. They depend neither on the number of tiles nor on their order, only on where
// sixteen steps begin: a sum that is put down and taken up again after a multiple of sixteen words has the
// bits of one taken to its end at once.
#pragma once

#include "kernels/cpu/simd/lanes.hpp"
#include "kernels/cpu/simd/product.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

/// Eight tiles of sixteen rows of sixteen words, which is all that the processor's tiles hold. Strides are
/// in words.
class SoftwareTiles {
  public:
    template <int tile>
    void zero() {
        for (int row = 0; row < lanes; ++row)
            ISOGRID_ISA::store(tiles_[tile][row], broadcast(0.0f), Full{});
    }
    template <int tile>
    void load(const float* from, int64_t stride) {
        for (int row = 0; row < lanes; ++row)
            ISOGRID_ISA::store(tiles_[tile][row], ISOGRID_ISA::load(from + row * stride, Full{}), Full{});
    }
    template <int tile>
    void store(float* to, int64_t stride) const {
        for (int row = 0; row < lanes; ++row)
            ISOGRID_ISA::store(to + row * stride, ISOGRID_ISA::load(tiles_[tile][row], Full{}), Full{});
    }

    /// sums += left right, as the manual has it under TDPBF16PS: numbers below 2^-126 are zero, before and
    /// after, and every result is rounded to nearest even. (Of not-a-numbers the manual does not say which.)
    template <int sums, int left, int right>
    void multiply_add() {
        const SmallNumbersAreZero as_the_manual_says;
        for (int row = 0; row < lanes; ++row) {
            float lower_sums[lanes] = {}, upper_sums[lanes] = {};
            for (int step = 0; step < lanes; ++step) {
                const Word a(tiles_[left][row][step]);
                for (int column = 0; column < lanes; ++column) {
                    const Word b(tiles_[right][step][column]);
                    lower_sums[column] = __builtin_fmaf(a.lower(), b.lower(), lower_sums[column]);
                    upper_sums[column] = __builtin_fmaf(a.upper(), b.upper(), upper_sums[column]);
                }
            }
            for (int column = 0; column < lanes; ++column)
                tiles_[sums][row][column] += lower_sums[column] + upper_sums[column];
        }
    }

  private:
    struct Word {
        explicit Word(const float& word) { __builtin_memcpy(&bits, &word, sizeof bits); }
        float lower() const { return __builtin_bit_cast(float, bits << 16); }
        float upper() const { return __builtin_bit_cast(float, bits & 0xffff0000); }
        uint32_t bits;
    };

    alignas(64) float tiles_[8][lanes][lanes] = {};
};

#ifdef __AMX_BF16__

/// The processor's tiles, configured while this lives. Instructions are written out, since GCC 12 has them as
/// macros of a tile's literal number, and its TILELOADD does not say that it reads memory: what was stored
/// shortly before might be missing there.
class HardwareTiles {
  public:
    HardwareTiles() {
        // As LDTILECFG reads it: palette 1 has eight tiles, of up to sixteen rows of up to 64 bytes.
        struct Configuration {
            uint8_t palette, start_row, reserved[14];
            uint16_t row_bytes[16];
            uint8_t rows[16];
        };
        static_assert(sizeof(Configuration) == 64);
        alignas(64) static constexpr Configuration whole_tiles = {
            1, 0, {}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
        asm volatile("ldtilecfg %0" ::"m"(whole_tiles));
    }
    ~HardwareTiles() { asm volatile("tilerelease"); }
    HardwareTiles(const HardwareTiles&) = delete;
    HardwareTiles& operator=(const HardwareTiles&) = delete;

    template <int tile>
    [[gnu::always_inline]] void zero() {
        asm volatile("tilezero %%tmm%c0" ::"i"(tile));
    }
    template <int tile>
    [[gnu::always_inline]] void load(const float* from, int64_t stride) {
        asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride * 4), "i"(tile) : "memory");
    }
    template <int tile>
    [[gnu::always_inline]] void store(float* to, int64_t stride) const {
        asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride * 4), "i"(tile) : "memory");
    }
    template <int sums, int left, int right>
    [[gnu::always_inline]] void multiply_add() {
        asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(left), "i"(right));
    }
};

#endif

/// What a block multiplies: two tiles of rows by two panels, their sums in tiles 0 to 3.
constexpr int64_t strip_rows = 2 * lanes;
constexpr int left_tile = 4, right_tile = 6;

/// Rows of the left operand as tiles read them, sixteen steps at a time, `tile_stride` apart.
struct LeftTiles {
    const float* data;
    int64_t row_stride, tile_stride;
};

/// Sixteen steps of a block: every operand is loaded once and used for each tile that it meets.
template <int row_tiles, int panels, class Tiles>
[[gnu::always_inline]] inline void multiply_tiles(Tiles& tiles, LeftTiles left, Right right) {
    tiles.template load<left_tile>(left.data, left.row_stride);
    tiles.template load<right_tile>(right.data, right.step_stride);
    tiles.template multiply_add<0, left_tile, right_tile>();
    if constexpr (panels == 2) {
        tiles.template load<right_tile + 1>(right.data + right.panel_stride, right.step_stride);
        tiles.template multiply_add<1, left_tile, right_tile + 1>();
    }
    if constexpr (row_tiles == 2) {
        tiles.template load<left_tile + 1>(left.data + lanes * left.row_stride, left.row_stride);
        tiles.template multiply_add<2, left_tile + 1, right_tile>();
        if constexpr (panels == 2) tiles.template multiply_add<3, left_tile + 1, right_tile + 1>();
    }
}

/// sums (16 row_tiles, 16 panels) = or += left right, over `steps` words, a multiple of sixteen.
template <int row_tiles, int panels, class Tiles>
[[gnu::always_inline]] inline void multiply_whole(Tiles& tiles, int64_t steps, LeftTiles left, Right right,
                                                  float* sums, int64_t stride, Write mode) {
    const auto for_sums = [&](auto work) {
        work.template operator()<0>(sums);
        if constexpr (panels == 2) work.template operator()<1>(sums + lanes);
        if constexpr (row_tiles == 2) work.template operator()<2>(sums + lanes * stride);
        if constexpr (row_tiles == 2 && panels == 2)
            work.template operator()<3>(sums + lanes * stride + lanes);
    };
    if (mode == Write::replace)
        for_sums([&]<int tile>(float*) { tiles.template zero<tile>(); });
    else
        for_sums([&]<int tile>(float* corner) { tiles.template load<tile>(corner, stride); });
    for (int64_t step = 0; step < steps; step += lanes) {
        multiply_tiles<row_tiles, panels>(tiles, left, right);
        left.data += left.tile_stride;
        right.data += lanes * right.step_stride;
    }
    for_sums([&]<int tile>(float* corner) { tiles.template store<tile>(corner, stride); });
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
