// The pictures that no single law owns: the frontier as every law sees it, out to the target.
#pragma once

#include <vector>

#include "analysis/answer/answer.hpp"

namespace isogrid::analysis {

/// N*, D* and the loss at the optimum against compute. Empty when no law stands.
std::vector<Figure> frontier_figures(const Answer& answer);

}  // namespace isogrid::analysis
