// Random numbers that have an address instead of a state: (seed, use, stream, index) names four Philox words.
#pragma once

#include <cstdint>
#include <span>

#include "data/philox.hpp"

namespace isogrid::data {

/// What a random word is for; words of different uses never coincide, even under one seed.
enum class RandomUse : std::uint32_t {
    weights = 1,            ///< initial weights; stream: the tensor
    window_order = 2,       ///< the order of an epoch's windows; stream: the epoch
    validation_blocks = 3,  ///< which blocks of a text are held out
    vocabulary_sample = 4,  ///< which blocks of a text a vocabulary is trained on
    unique_windows = 5,     ///< which windows a trial repeats that draws from a part of them
};

/// The four words at an address.
constexpr PhiloxCounter random_words(std::uint64_t seed, RandomUse use, std::uint32_t stream,
                                     std::uint64_t index) {
    return philox({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), stream,
                   static_cast<std::uint32_t>(use)},
                  key_of(seed));
}

/// The middle of one of the 2^32 equal parts of (0, 1): never 0 or 1.
constexpr double uniform(std::uint32_t word) {
    return (word + 0.5) * 0x1p-32;
}

/// The middle of one of the 2^52 equal parts of (0, 1), from 64 bits: never 0 or 1. (With 2^53 parts the last
/// middle would round to 1.)
constexpr double uniform(std::uint32_t high, std::uint32_t low) {
    const std::uint64_t part = (std::uint64_t{high} << 32 | low) >> 12;
    return (static_cast<double>(part) + 0.5) * 0x1p-52;
}

/// Fills `out` with normal numbers of mean 0 and this standard deviation (Box and Muller 1958, "A note on the
/// generation of random normal deviates"). Element i depends on (seed, stream, i) only: a longer span begins
/// with the same values. Beyond 6.8 deviations the tails are empty.
void fill_normal(std::span<float> out, std::uint64_t seed, std::uint32_t stream, double deviation);

}  // namespace isogrid::data
