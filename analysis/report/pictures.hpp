// The figures of an answer, drawn.
#pragma once

#include <vector>

#include "analysis/answer/answer.hpp"
#include "analysis/report/report.hpp"
#include "base/fault.hpp"

namespace isogrid::analysis {

/// Draws every figure, one thread a processor. What could not be drawn has no SVG; `faults` is the first
/// reason, which stands for all (there is no gnuplot).
std::vector<Picture> draw_all(const Answer& answer, base::Faults& faults);

}  // namespace isogrid::analysis
