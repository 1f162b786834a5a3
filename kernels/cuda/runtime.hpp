// CUDA's runtime behind checks and handles.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cuda_runtime.h>
#include <utility>

#include "kernels/backend.hpp"

namespace isogrid::kernels::cuda {

/// Throws where a call failed: std::bad_alloc for want of memory on the card, CardLost where nothing more can
/// be done on it, else std::runtime_error; both say `doing failed (why) what to do`.
void check(cudaError_t error, const char* doing);

/// A queue of work on the card, in order.
class Stream {
  public:
    Stream();
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    operator cudaStream_t() const { return stream_; }  // NOLINT(google-explicit-constructor)

  private:
    cudaStream_t stream_ = nullptr;
};

/// Memory of the card. Throws std::bad_alloc.
Storage allocate_on_card(std::size_t bytes);

/// Memory that the ops of one stream use between their kernels, one after the other. It grows, and stays.
class Scratch {
  public:
    template <class T>
    T* take(std::int64_t count) {
        return static_cast<T*>(at_least(static_cast<std::size_t>(count) * sizeof(T)));
    }

  private:
    void* at_least(std::size_t bytes);

    Storage storage_;
    std::size_t bytes_ = 0;
};

/// Where kernels are launched: on which stream, and with which scratch.
struct Card {
    cudaStream_t stream = nullptr;
    Scratch* scratch = nullptr;
};

constexpr unsigned threads_a_block = 256;

/// Blocks for `items` threads that stride over the grid.
inline dim3 enough_blocks(std::int64_t items) {
    constexpr std::int64_t most = 132 * 16;  // some waves over the largest cards
    return dim3(static_cast<unsigned>(
        std::clamp<std::int64_t>((items + threads_a_block - 1) / threads_a_block, 1, most)));
}

/// kernel<<<grid, threads, shared_bytes, stream>>>(arguments...), checked.
template <class... Parameters, class... Arguments>
void launch(const Card& card, void (*kernel)(Parameters...), dim3 grid, unsigned threads,
            std::size_t shared_bytes, Arguments... arguments) {
    constexpr std::size_t without_asking = 48 * 1024;
    if (shared_bytes > without_asking)
        check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   static_cast<int>(shared_bytes)),
              "asking for a block's shared memory");
    cudaLaunchConfig_t config{};
    config.gridDim = grid;
    config.blockDim = dim3(threads);
    config.dynamicSmemBytes = shared_bytes;
    config.stream = card.stream;
    check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), "starting a kernel");
}

}  // namespace isogrid::kernels::cuda
