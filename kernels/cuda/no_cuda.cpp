// The CUDA backend of a build that has none.
#include <stdexcept>

#include "kernels/backend.hpp"
#include "kernels/cuda/cards.hpp"

namespace isogrid::kernels {

namespace {
constexpr const char* problem =
    "no cuda backend (not built with CUDA) choose device = \"cpu\", or rebuild where nvcc is installed";
}

std::unique_ptr<Backend> make_cuda_backend(int) {
    throw std::runtime_error(problem);
}

std::unique_ptr<Backend> make_cuda_backend_beside_others(int) {
    throw std::runtime_error(problem);
}

CudaCards cuda_cards() {
    return {.cards = {}, .problem = problem};
}

}  // namespace isogrid::kernels
