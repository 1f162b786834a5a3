// The CUDA cards that this process sees; also in a build without CUDA, which sees none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace isogrid::kernels {

struct CudaCard {
    std::string name;        ///< `NVIDIA H100 80GB HBM3`
    std::string identity;    ///< its UUID, the same for every process of the machine
    int capability = 0;      ///< 90 for sm_90
    std::int64_t bytes = 0;  ///< of memory
};

struct CudaCards {
    std::vector<CudaCard> cards;  ///< by their numbers for make_cuda_backend
    std::string problem;          ///< where there are none: `problem (why) what to do`
};

CudaCards cuda_cards();

}  // namespace isogrid::kernels
