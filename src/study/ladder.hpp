// The shapes of a job's ladder: what [model] makes of its widths.
#pragma once

#include <cstdint>
#include <vector>

#include "study/job.hpp"

namespace isogrid::study {

/// The shapes of a ladder, in the order of its widths.
std::vector<Shape> ladder_shapes(const Ladder& ladder, std::int64_t vocabulary);

}  // namespace isogrid::study
