// What a grid may be too small to answer, although it runs.
#pragma once

#include <string>
#include <vector>

#include "study/job.hpp"

namespace isogrid::study {

/// One message for each weakness: `problem (why) what to do`. `trials` as expand_grid returns them.
std::vector<std::string> grid_warnings(const Job& job, const CorpusFacts& corpus,
                                       const std::vector<PlannedTrial>& trials);

}  // namespace isogrid::study
