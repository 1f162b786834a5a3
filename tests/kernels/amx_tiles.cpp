#include "kernels/amx_tiles.hpp"

#include <bit>

#include "kernels/backend.hpp"
#include "kernels/cpu/cpu_backend.hpp"

namespace isogrid::kernels::test {

using cpu::InstructionSet;

void TileTest::SetUp() {
    const bool amx = cpu::supported(InstructionSet::amx);
    if (GetParam() == "software") {
        if (!cpu::supported(InstructionSet::avx2)) GTEST_SKIP() << "this processor does not run avx2";
        on_tiles = cpu::amx_software::product_on_tiles;
        multiply_one_tile = cpu::amx_software::multiply_one_tile;
        provide_linear = cpu::amx_software::provide_linear;
        provide_attention = cpu::amx_software::provide_attention;
        return;
    }
    on_tiles = cpu::amx_hardware::product_on_tiles;
    multiply_one_tile = cpu::amx_hardware::multiply_one_tile;
    provide_linear = cpu::amx_hardware::provide_linear;
    provide_attention = cpu::amx_hardware::provide_attention;
    if (GetParam() == "hardware") {
        if (!amx) GTEST_SKIP() << "this processor has no AMX tiles, or the system does not grant them";
        return;
    }
    if (amx) GTEST_SKIP() << "this processor has AMX tiles: there is nothing to emulate";
    if (!cpu::supported(InstructionSet::avx512_bf16))
        GTEST_SKIP() << "this processor does not run avx512_bf16, which the amx build is made of too";
    emulated.emplace();
}

void TileTest::TearDown() {
    if (emulated) {
        EXPECT_FALSE(EmulatedTiles::in_use()) << "tiles were not released";
    }
}

std::vector<std::int64_t> TileTest::sizes() const {
    if (emulated) return {1, 16, 17, 33, 70};
    return {1, 2, 15, 16, 17, 31, 32, 33, 49, 64, 70};
}

INSTANTIATE_TEST_SUITE_P(Amx, TileTest, testing::Values("software", "hardware", "emulated"),
                         [](const auto& info) { return info.param; });

float random_number(std::mt19937& generator) {
    return static_cast<float>(generator() >> 8) * 0x1p-23f - 1;
}

float word_of(Bfloat16 lower, Bfloat16 upper) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(upper.bits) << 16 | lower.bits);
}

std::vector<Bfloat16> activations(std::int64_t rows, std::int64_t columns, std::uint32_t seed) {
    std::mt19937 generator(seed);
    std::vector<Bfloat16> numbers(rows * row_stride(columns, Element::bfloat16), Bfloat16{0});
    for (std::int64_t row = 0; row < rows; ++row)
        for (std::int64_t column = 0; column < columns; ++column)
            numbers[row * row_stride(columns, Element::bfloat16) + column] =
                rounded(random_number(generator));
    return numbers;
}

}  // namespace isogrid::kernels::test
