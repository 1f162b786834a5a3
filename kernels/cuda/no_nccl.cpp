// Links between cards in a build without NCCL's header.
#include <stdexcept>

#include "kernels/cuda/nccl_links.hpp"

namespace isogrid::kernels::cuda {

namespace {
constexpr const char* problem =
    "no links between cards (not built with NCCL) rebuild where NCCL's development package is installed";
}

LinkOffer nccl_offer(bool) {
    return {.problem = problem};
}

std::unique_ptr<Links> link_by_nccl(LinkPlace, cudaStream_t, Look&, std::jthread&) {
    throw std::logic_error(problem);
}

}  // namespace isogrid::kernels::cuda
