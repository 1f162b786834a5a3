// The best size at a budget, searched on any law of loss over size and data.
#pragma once

#include "analysis/laws/law.hpp"

namespace isogrid::analysis {

/// The N and D of least loss with k N D = flops.
Optimum optimum_on(const LossSurface::Loss& loss, double flops, double flops_per_parameter_token);

}  // namespace isogrid::analysis
