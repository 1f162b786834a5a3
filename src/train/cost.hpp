// What a trial will cost: bytes from the plan, seconds from a short measurement.
#pragma once

#include <cstdint>

#include "kernels/backend.hpp"
#include "study/trial.hpp"

namespace isogrid::train {

/// The most bytes that one rank of a group of `ranks` holds while it trains `trial` with `threads`: weights,
/// optimizer, gradients, packed weights, arenas. What the program itself takes (code, libraries, MPI) is not
/// among them.
std::int64_t planned_bytes(const study::Trial& trial, int ranks, int threads,
                           const kernels::Backend& backend);

/// Seconds one step takes on one rank of this machine now, with so many threads where it is a processor, as
/// a few blocks of made-up tokens take (0.1 to 3 s): of a large model, blocks of a smaller one of its kind.
double measure_seconds_per_step(const study::Trial& trial, kernels::Backend& backend, int threads);

}  // namespace isogrid::train
