// The CUDA backend with its choices named: for tests and benchmarks.
#pragma once

#include <memory>

#include "kernels/backend.hpp"
#include "kernels/cuda/products.hpp"

namespace isogrid::kernels::cuda {

/// As make_cuda_backend; `arithmetic` is that of products of float32.
std::unique_ptr<Backend> make_backend(int device, Arithmetic arithmetic);

}  // namespace isogrid::kernels::cuda
