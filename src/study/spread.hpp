// Points spread evenly: of sizes over a range, of evaluations over a trial.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace isogrid::study {

/// Picks `count` (or all, if fewer) of the values `rising`, both ends included, as evenly spaced as they can
/// be; returns their positions, rising. One alone is the one nearest to the middle.
std::vector<std::size_t> spread_evenly(std::span<const double> rising, std::size_t count);

/// Steps after which a trial of `steps` steps is evaluated: at most `points`, evenly spaced in log steps from
/// 2% of the trial to its end, distinct and rising; the last one is `steps`.
std::vector<std::int64_t> evaluation_steps(std::int64_t steps, std::int64_t points);

}  // namespace isogrid::study
