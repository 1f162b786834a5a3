// The CUDA cards that this process sees; also in a build without CUDA, which sees none.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace isogrid::kernels {

class Backend;

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

/// As make_cuda_backend, for a thread that trains beside others on one card: a queue and memory of its own,
/// and where it waits for the card it naps, as the others may need its core. To be made on that thread, which
/// alone may use it.
std::unique_ptr<Backend> make_cuda_backend_beside_others(int device);

}  // namespace isogrid::kernels
