// What the tests of products on AMX tiles share: where the tiles are, and numbers to multiply.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/amx_manual.hpp"
#include "kernels/bfloat16.hpp"
#include "kernels/cpu/simd.hpp"
#include "kernels/tile_products.hpp"

namespace isogrid::kernels::test {

/// Tiles "software", "hardware" (the processor's) or "emulated" (instructions by amx_manual).
class TileTest : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override;
    void TearDown() override;

    /// Emulation takes microseconds an instruction.
    std::vector<std::int64_t> sizes() const;

    void (*on_tiles)(const cpu::ProductOperands&) = nullptr;
    void (*multiply_one_tile)(const float*, const float*, float*) = nullptr;
    void (*provide_linear)(cpu::Simd&) = nullptr;
    void (*provide_attention)(cpu::Simd&) = nullptr;
    std::optional<EmulatedTiles> emulated;
};

constexpr double half_epsilon = 0x1p-24;  ///< the rounding error of 1 in float32
constexpr float poison = std::numeric_limits<float>::quiet_NaN();

/// Even in [-1, 1).
float random_number(std::mt19937& generator);

float word_of(Bfloat16 lower, Bfloat16 upper);

/// (rows, columns) random bfloat16, rows at whole words.
std::vector<Bfloat16> activations(std::int64_t rows, std::int64_t columns, std::uint32_t seed);

}  // namespace isogrid::kernels::test
