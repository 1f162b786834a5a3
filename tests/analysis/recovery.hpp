// Do 95% intervals cover the truth? Counted over noisy draws from a known law.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

namespace isogrid::analysis {

/// How many noisy draws to fit: few where every change is tested, as many as ISOGRID_RECOVERY_DRAWS says
/// where somebody wants to know.
inline std::size_t recovery_draws(std::size_t few = 40) {
    const char* wanted = std::getenv("ISOGRID_RECOVERY_DRAWS");
    const long draws = wanted ? std::atol(wanted) : 0;
    return draws > 0 ? static_cast<std::size_t>(draws) : few;
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
