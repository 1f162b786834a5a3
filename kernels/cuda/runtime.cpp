#include "kernels/cuda/runtime.hpp"

#include <new>
#include <stdexcept>
#include <string>

namespace isogrid::kernels::cuda {

namespace {

const char* remedy(cudaError_t error) {
    switch (error) {
        case cudaErrorNoDevice:
            return "run on a machine with an NVIDIA card, or choose device = \"cpu\"";
        case cudaErrorInsufficientDriver:
            return "install a driver that knows this version of CUDA, or choose device = \"cpu\"";
        case cudaErrorDevicesUnavailable:
            return "end what else holds the card, or ask Slurm for one of your own";
        case cudaErrorNoKernelImageForDevice:
            return "use a card of compute capability 8.0 or later, or build isogrid for this one";
        default:
            return "run it again under compute-sanitizer to see where";
    }
}

}  // namespace

void check(cudaError_t error, const char* doing) {
    if (error == cudaSuccess) return;
    cudaGetLastError();  // else the next call, of another trial, would report it again
    if (error == cudaErrorMemoryAllocation) throw std::bad_alloc();
    throw std::runtime_error(std::string(doing) + " failed (CUDA error " + std::to_string(error) + ": " +
                             cudaGetErrorString(error) + ") " + remedy(error));
}

Stream::Stream() {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "opening a stream on the card");
}

Stream::~Stream() {
    cudaStreamDestroy(stream_);
}

Storage allocate_on_card(std::size_t bytes) {
    void* memory = nullptr;
    check(cudaMalloc(&memory, bytes), "taking memory of the card");
    return Storage(static_cast<std::byte*>(memory), [](std::byte* address) { cudaFree(address); });
}

void* Scratch::at_least(std::size_t bytes) {
    if (bytes > bytes_) {
        storage_.reset();  // waits for what still uses it
        bytes_ = 0;
        storage_ = allocate_on_card(bytes);
        bytes_ = bytes;
    }
    return storage_.get();
}

}  // namespace isogrid::kernels::cuda
