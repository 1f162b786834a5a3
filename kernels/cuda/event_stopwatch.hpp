// Times by the card's own clock.
#pragma once

#include <memory>

#include "kernels/cuda/runtime.hpp"
#include "kernels/cuda/waiting.hpp"
#include "kernels/stopwatch.hpp"

namespace isogrid::kernels::cuda {

/// Marks are events of this stream, which may not be captured meanwhile; both must outlive it.
std::unique_ptr<Stopwatch> stopwatch_on(cudaStream_t stream, const Look& look);

}  // namespace isogrid::kernels::cuda
