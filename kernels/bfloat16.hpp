// bfloat16 and back, one number at a time.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/backend.hpp"

namespace isogrid::kernels {

inline float widened(Bfloat16 value) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

/// To the nearest, ties to even, as the processors' own instruction does: numbers below 2^-126 become zero,
/// and not-a-number stays.
inline Bfloat16 rounded(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if (std::isnan(value)) return {static_cast<std::uint16_t>(bits >> 16 | 0x40)};
    if ((bits & 0x7f800000) == 0) return {static_cast<std::uint16_t>(bits >> 16 & 0x8000)};
    return {static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

}  // namespace isogrid::kernels
