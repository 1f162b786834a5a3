#include "kernels/cuda/cards.hpp"

#include <exception>

#include "kernels/cuda/runtime.hpp"

namespace isogrid::kernels {

CudaCards cuda_cards() {
    CudaCards seen;
    try {
        int count = 0;
        cuda::check(cudaGetDeviceCount(&count), "looking for CUDA cards");
        for (int device = 0; device < count; ++device) {
            cudaDeviceProp properties{};
            cuda::check(cudaGetDeviceProperties(&properties, device), "asking what a CUDA card is");
            seen.cards.push_back(
                {properties.name, std::string(properties.uuid.bytes, sizeof properties.uuid.bytes),
                 10 * properties.major + properties.minor,
                 static_cast<std::int64_t>(properties.totalGlobalMem), properties.multiProcessorCount});
        }
        if (seen.cards.empty()) cuda::check(cudaErrorNoDevice, "looking for CUDA cards");
    } catch (const std::exception& error) {
        seen = {.cards = {}, .problem = error.what()};
    }
    return seen;
}

}  // namespace isogrid::kernels
