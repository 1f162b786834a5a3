// Counts that differ by rounding alone: tokens of whole batches.
#pragma once

#include <algorithm>

namespace isogrid::analysis {

/// How far apart two counts may lie that were meant to be one.
constexpr double rounding_of_counts = 1.02;

inline bool alike(double a, double b) {
    return std::max(a, b) <= rounding_of_counts * std::min(a, b);
}

}  // namespace isogrid::analysis
