// What became of the card where a library's call failed.
#pragma once

namespace isogrid::kernels::cuda {

/// Throws as check() does where the card itself has a problem, else returns. cuBLASLt and NCCL have a runtime
/// of CUDA's of their own, whose errors ours does not know; but what ends all work on the card, ours meets in
/// its next call, so it is asked for something.
void check_card(const char* doing);

}  // namespace isogrid::kernels::cuda
