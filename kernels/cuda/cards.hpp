// The CUDA cards that this process sees; also in a build without CUDA, which sees none.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace isogrid::kernels {

class Backend;

struct CudaCard {
    std::string name;        ///< `NVIDIA H100 80GB HBM3`
    std::string identity;    ///< its UUID, the same for every process of the machine
    int capability = 0;      ///< 90 for sm_90
    std::int64_t bytes = 0;  ///< of memory
    int multiprocessors = 0;
};

/// What bits depend on beside cuBLASLt's version, as that chooses its algorithms by both: `sm_90x132` is of
/// compute capability 9.0, with 132 multiprocessors.
inline std::string kind_of(int capability, int multiprocessors) {
    return "sm_" + std::to_string(capability) + "x" + std::to_string(multiprocessors);
}

/// Whether the word names a kind of card.
inline bool is_kind_of_card(std::string_view word) {
    return word.starts_with("sm_");
}

struct CudaCards {
    std::vector<CudaCard> cards;  ///< by their numbers for make_cuda_backend
    std::string problem;          ///< where there are none: `problem (why) what to do`
};

CudaCards cuda_cards();

/// Thrown where the card refuses all that this process asks of it from now on, as after an access to memory
/// that is not its own: the process has to end, and another may go on.
class CardLost : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// As make_cuda_backend, for a thread that trains beside others on one card: a queue and memory of its own,
/// and where it waits for the card it naps, as the others may need its core. To be made on that thread, which
/// alone may use it.
std::unique_ptr<Backend> make_cuda_backend_beside_others(int device);

}  // namespace isogrid::kernels
