#include "data/sampler.hpp"

#include <bit>
#include <cassert>

#include "data/random.hpp"

namespace isogrid::data {

namespace {

/// A keyed permutation of [0, 4^half_bits): a Feistel network (Luby and Rackoff 1988, "How to construct
/// pseudorandom permutations from pseudorandom functions") whose round function is Philox. Each round swaps
/// the halves and can be undone, so no two values meet, whatever the round function is.
std::uint64_t permute_power_of_four(std::uint64_t value, int half_bits, std::uint64_t seed, RandomUse use,
                                    std::uint32_t stream) {
    constexpr int rounds = 8;  // four suffice in theory; tiny domains mix better with more
    const std::uint64_t mask = (std::uint64_t{1} << half_bits) - 1;
    std::uint64_t left = value >> half_bits, right = value & mask;
    for (std::uint64_t round = 0; round < rounds; ++round) {
        const PhiloxCounter words = random_words(seed, use, stream, round << 32 | right);
        const std::uint64_t mixed = left ^ (words[0] & mask);
        left = right;
        right = mixed;
    }
    return left << half_bits | right;
}

/// A keyed permutation of [0, size) by cycle walking (Black and Rogaway 2002, "Ciphers with arbitrary finite
/// domains", method 2): values outside are permuted again until they fall inside; fewer than four times on
/// average.
std::uint64_t permute(std::uint64_t value, std::uint64_t size, std::uint64_t seed, RandomUse use,
                      std::uint32_t stream) {
    const int half_bits = (std::bit_width(size - 1) + 1) / 2;
    do
        value = permute_power_of_four(value, half_bits, seed, use, stream);
    while (value >= size);
    return value;
}

}  // namespace

Sampler::Sampler(std::uint64_t seed, std::int64_t training_tokens, std::int64_t unique_tokens,
                 std::int64_t context)
    : seed_(seed),
      all_windows_((training_tokens - 1) / context),
      windows_((unique_tokens - 1) / context),
      context_(context) {
    assert(context > 0 && unique_tokens > context && training_tokens >= unique_tokens);
}

std::int64_t Sampler::window_start(std::int64_t sequence) const {
    assert(sequence >= 0);
    const auto epoch = static_cast<std::uint32_t>(sequence / windows_);
    auto window = permute(static_cast<std::uint64_t>(sequence % windows_),
                          static_cast<std::uint64_t>(windows_), seed_, RandomUse::window_order, epoch);
    if (windows_ < all_windows_)  // the first ones of an order of all that every epoch has
        window =
            permute(window, static_cast<std::uint64_t>(all_windows_), seed_, RandomUse::unique_windows, 0);
    return static_cast<std::int64_t>(window) * context_;
}

}  // namespace isogrid::data
