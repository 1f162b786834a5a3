// Whether the runs hold what was asked for of them.
#pragma once

#include "analysis/command_line.hpp"
#include "analysis/runs/runs.hpp"
#include "base/fault.hpp"

namespace isogrid::analysis {

/// A law that was asked for by name must be about these runs, and of all laws at least one; a curve to be
/// held out must be there. Runs of which none can be used are refused with the reasons of each.
base::Faults check_request(const Request& request, const Runs& runs);

}  // namespace isogrid::analysis
