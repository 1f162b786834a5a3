#include "data/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace isogrid::data {

namespace {

/// Two words give two independent standard normal numbers.
std::array<double, 2> box_muller(std::uint32_t radius_word, std::uint32_t angle_word) {
    const double radius = std::sqrt(-2.0 * std::log(uniform(radius_word)));
    const double angle = 2.0 * std::numbers::pi * uniform(angle_word);
    return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace

void fill_normal(std::span<float> out, std::uint64_t seed, std::uint32_t stream, double deviation) {
    for (std::size_t block = 0; 4 * block < out.size(); ++block) {
        const PhiloxCounter words = random_words(seed, RandomUse::weights, stream, block);
        const auto [first, second] = box_muller(words[0], words[1]);
        const auto [third, fourth] = box_muller(words[2], words[3]);
        const std::array<double, 4> normals = {first, second, third, fourth};
        const std::size_t count = std::min<std::size_t>(4, out.size() - 4 * block);
        for (std::size_t lane = 0; lane < count; ++lane)
            out[4 * block + lane] = static_cast<float>(deviation * normals[lane]);
    }
}

}  // namespace isogrid::data
