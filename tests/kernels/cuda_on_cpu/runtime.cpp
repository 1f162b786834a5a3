// CUDA's runtime on the emulated card: everything is done when the call returns.
#include <cstdio>

#include "cuda_runtime.h"

namespace card = isogrid::kernels::cuda_on_cpu;

namespace isogrid::kernels::cuda_on_cpu {

void submit(std::function<void()> work) {
    work();
}

}  // namespace isogrid::kernels::cuda_on_cpu

const char* cudaGetErrorString(cudaError_t error) {
    return error == cudaSuccess ? "no error" : "an emulated error";
}

cudaError_t cudaGetDeviceCount(int* count) {
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    return device == 0 ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
    *properties = {};
    properties->major = 9;
    properties->multiProcessorCount = 2;
    properties->totalGlobalMem = card::free_bytes();
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    *free = *total = card::free_bytes();
    return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
    *memory = bytes > 0 ? card::allocate(bytes) : nullptr;
    return *memory != nullptr || bytes == 0 ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFree(void* memory) {
    card::release(memory);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t) {
    if (bytes == 0) return cudaSuccess;
    if (card::on_card(to) != (kind != cudaMemcpyDeviceToHost)) card::stop("a copy to the wrong memory");
    if (card::on_card(from) != (kind != cudaMemcpyHostToDevice)) card::stop("a copy from the wrong memory");
    card::submit([=] {
        const card::Access access;
        std::memmove(to, from, bytes);
    });
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int byte, std::size_t bytes, cudaStream_t) {
    if (bytes == 0) return cudaSuccess;
    if (!card::on_card(to)) card::stop("memory of the program is set as if it were the card's");
    card::submit([=] {
        const card::Access access;
        std::memset(to, byte, bytes);
    });
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    *stream = nullptr;
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t) {
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t) {
    return cudaSuccess;
}

cudaError_t cudaGetLastError() {
    return cudaSuccess;
}
