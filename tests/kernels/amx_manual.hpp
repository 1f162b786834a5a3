// Intel AMX as the Software Developer's Manual describes it, for processors that have none: the arithmetic of
// its product, and its instructions, carried out one by one as the processor refuses them.
#pragma once

#include <cstdint>

namespace isogrid::kernels::test {

/// The upper or the lower half of a word of two bfloat16, as float32.
float lower_number(float word);
float upper_number(float word);

/// a * b + c, rounded once, with numbers below 2^-126 taken and given as zero.
float fused_flushed(float a, float b, float c);
float sum_flushed(float a, float b);

struct Tile {
    float words[16][16];
};

/// TDPBF16PS, line by line.
void tdpbf16ps(Tile& sums, const Tile& left, const Tile& right);

/// While it lives, AMX instructions that the processor does not know are carried out here. It has one set of
/// tiles: for one thread. Instructions out of place (no configuration, another one than whole tiles) end the
/// program, as those do that are not of AMX.
class EmulatedTiles {
  public:
    EmulatedTiles();
    ~EmulatedTiles();
    EmulatedTiles(const EmulatedTiles&) = delete;
    EmulatedTiles& operator=(const EmulatedTiles&) = delete;

    /// How many TDPBF16PS have been carried out, and whether tiles are in use.
    static std::int64_t products();
    static bool in_use();
};

}  // namespace isogrid::kernels::test
