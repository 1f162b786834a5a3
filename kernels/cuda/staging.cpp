#include "kernels/cuda/staging.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/cuda/runtime.hpp"

namespace isogrid::kernels::cuda {

Staging::Staging() {
    void* memory = nullptr;
    check(cudaMallocHost(&memory, slots * slot_bytes), "locking memory for copies to the card");
    memory_ = static_cast<std::byte*>(memory);
    for (cudaEvent_t& event : left_)
        check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making an event");
}

Staging::~Staging() {
    for (const cudaEvent_t event : left_)
        cudaEventDestroy(event);
    cudaFreeHost(memory_);
}

void Staging::copy_in(void* destination, const void* source, std::size_t bytes, cudaStream_t stream,
                      const Look& look) {
    for (std::size_t done = 0; done < bytes; done += slot_bytes) {
        const std::size_t part = std::min(slot_bytes, bytes - done), slot = next_++ % slots;
        std::byte* here = memory_ + slot * slot_bytes;
        wait_for(left_[slot], look);
        std::memcpy(here, static_cast<const std::byte*>(source) + done, part);
        check(cudaMemcpyAsync(static_cast<std::byte*>(destination) + done, here, part, cudaMemcpyHostToDevice,
                              stream),
              "copying to the card");
        check(cudaEventRecord(left_[slot], stream), "copying to the card");
    }
}

}  // namespace isogrid::kernels::cuda
