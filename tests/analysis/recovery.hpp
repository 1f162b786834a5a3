// Do 95% intervals cover the truth? Counted over noisy draws from a known law.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <ranges>
#include <string>

#include <gtest/gtest.h>

#include "analysis/fit/bootstrap.hpp"
#include "analysis/fit/options.hpp"

namespace isogrid::analysis {

/// A positive number from the environment; `otherwise` where there is none.
inline std::size_t number_from(const char* variable, std::size_t otherwise) {
    const char* wanted = std::getenv(variable);
    const long number = wanted ? std::atol(wanted) : 0;
    return number > 0 ? static_cast<std::size_t>(number) : otherwise;
}

/// The noisy draws to fit, each a stream of random numbers: few where every change is tested, as many as
/// ISOGRID_RECOVERY_DRAWS says where somebody wants to know. ISOGRID_RECOVERY_FIRST is the first of them:
/// other draws than those that a method was looked at with.
inline auto recovery_draws(std::size_t few = 40) {
    const std::size_t first = number_from("ISOGRID_RECOVERY_FIRST", 0);
    return std::views::iota(first, first + number_from("ISOGRID_RECOVERY_DRAWS", few));
}

/// The options of a draw's fit: replicates of its own. What 200 replicates happen to be moves the ends of an
/// interval; draws that all saw the same ones would all be off the same way.
inline FitOptions recovery_options(FitOptions options, std::size_t draw) {
    options.seed = 1000 + draw;
    return options;
}

inline bool covers(const Estimate& estimate, double truth) {
    return estimate.low <= truth && truth <= estimate.high;
}

/// 93 to 97 in 100, give or take two binomial standard errors of so many draws.
inline void expect_coverage(std::size_t covered, std::size_t draws, const std::string& what = "") {
    const auto count = static_cast<double>(draws);
    const auto error = [&](double share) { return 2 * std::sqrt(count * share * (1 - share)); };
    EXPECT_GE(static_cast<double>(covered), 0.93 * count - error(0.93))
        << what << " of " << draws << " draws";
    EXPECT_LE(static_cast<double>(covered), 0.97 * count + error(0.97))
        << what << " of " << draws << " draws";
    if (std::getenv("ISOGRID_RECOVERY_DRAWS"))
        std::cout << what << ": " << covered << " of " << draws << " intervals cover\n";
}

}  // namespace isogrid::analysis
