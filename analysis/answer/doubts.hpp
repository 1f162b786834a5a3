// What must not be missed by whoever reads a decision's numbers and nothing else.
#pragma once

#include "analysis/answer/answer.hpp"

namespace isogrid::analysis {

/// Adds to a decision's warnings: those of the law that decides, counts that may be in another unit, a ratio
/// of tokens to parameters that no run of that law has tried, and laws whose sizes lie outside of each
/// other's intervals. `all` knows runs, fits and predictions.
void add_doubts(const Answer& all, Decision& decision);

}  // namespace isogrid::analysis
