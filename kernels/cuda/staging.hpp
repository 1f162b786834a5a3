// How numbers of the program come to the card without anybody waiting: by way of memory that the card reads
// by itself.
#pragma once

#include <array>
#include <cstddef>
#include <cuda_runtime.h>

#include "kernels/cuda/waiting.hpp"

namespace isogrid::kernels::cuda {

/// Slots of page-locked memory that take turns.
class Staging {
  public:
    Staging();
    ~Staging();
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;

    /// Copies to the card's memory in the order of the stream; `source` may change when this returns. Waits
    /// only for a slot that an earlier copy has not left yet, and looks then.
    void copy_in(void* destination, const void* source, std::size_t bytes, cudaStream_t stream,
                 const Look& look);

  private:
    static constexpr std::size_t slots = 4, slot_bytes = std::size_t{1} << 20;

    std::byte* memory_ = nullptr;
    std::array<cudaEvent_t, slots> left_{};  ///< by slot: its last copy is done
    std::size_t next_ = 0;
};

}  // namespace isogrid::kernels::cuda
