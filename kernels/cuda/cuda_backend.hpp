// The CUDA backend with its choices named: for tests and benchmarks.
#pragma once

#include <memory>

#include "kernels/backend.hpp"
#include "kernels/cuda/products.hpp"

namespace isogrid::kernels::cuda {

/// Whether recorded work is launched as a whole, or kernel after kernel each time: the same bits.
enum class Launches { recorded, one_by_one };

/// Who waits for the card: the driver, which looks all the time, or we, with naps.
enum class Waits { driver, naps };

/// As make_cuda_backend; `arithmetic` is that of products of float32.
std::unique_ptr<Backend> make_backend(int device, Arithmetic arithmetic,
                                      Launches launches = Launches::recorded, Waits waits = Waits::driver);

}  // namespace isogrid::kernels::cuda
