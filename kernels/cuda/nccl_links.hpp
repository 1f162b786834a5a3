// Links between cards by NCCL, which is loaded when a card is first asked for them.
#pragma once

#include <cuda_runtime.h>
#include <memory>
#include <thread>

#include "kernels/cuda/waiting.hpp"
#include "kernels/links.hpp"

namespace isogrid::kernels::cuda {

/// `problem` where NCCL is missing; `card` is the caller's to fill in.
LinkOffer nccl_offer(bool first_rank);

/// Links the calling thread's card with those of the group. `stream` is the backend's; `look_of_waits` is
/// what the backend's waits look at, and looks after these links as long as they are there. Links that are
/// given up end on `cutting`, which is done when all that was recorded with them is gone: the links may go
/// before it does, the backend after.
std::unique_ptr<Links> link_by_nccl(LinkPlace place, cudaStream_t stream, Look& look_of_waits,
                                    std::jthread& cutting);

}  // namespace isogrid::kernels::cuda
