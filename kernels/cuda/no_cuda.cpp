// The CUDA backend of a build that has none.
#include <stdexcept>

#include "kernels/backend.hpp"

namespace isogrid::kernels {

std::unique_ptr<Backend> make_cuda_backend(int) {
    throw std::runtime_error(
        "no cuda backend (not built with CUDA) choose device = \"cpu\", or rebuild where nvcc is installed");
}

}  // namespace isogrid::kernels
