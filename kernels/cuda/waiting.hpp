// Waits for the card that look up now and then.
#pragma once

#include <cuda_runtime.h>
#include <functional>

namespace isogrid::kernels::cuda {

/// Looked at while somebody waits: throws where what is waited for may never come.
using Look = std::function<void()>;

/// Until `done`; asleep when it takes long, late by an eighth of the wait or a millisecond at most.
void wait_until(const std::function<bool()>& done, const Look& look);

/// Waits for the stream, or the event. Without a `look` the driver does the waiting.
void wait_for(cudaStream_t stream, const Look& look);
void wait_for(cudaEvent_t event, const Look& look);

}  // namespace isogrid::kernels::cuda
