// In the place of CUDA's header of this name: so much of its language and runtime as kernels/cuda uses, on
// the emulated card of machine.hpp. The names are CUDA's.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>

#include "machine.hpp"

#define __global__
#define __device__
#define __host__
#define __shared__
#define __launch_bounds__(...)

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x = 1, y = 1, z = 1;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(8) uint2 {
    std::uint32_t x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(16) uint4 {
    std::uint32_t x, y, z, w;
};
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

// ---- the language

inline void __syncthreads() {
    isogrid::kernels::cuda_on_cpu::meet_block();
}
inline void __syncwarp() {
    isogrid::kernels::cuda_on_cpu::exchange(nullptr, 0);
}
template <class T>
T __shfl_sync(unsigned mask, T value, int source) {
    namespace card = isogrid::kernels::cuda_on_cpu;
    if (mask != 0xffffffffu) card::stop("a shuffle without all lanes");
    const card::Slot* slots = card::exchange(&value, sizeof(T));
    std::memcpy(&value, slots[source & 31].bytes, sizeof(T));
    return value;
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
    return __shfl_sync(mask, value, isogrid::kernels::cuda_on_cpu::lane() ^ lanes);
}
inline float __uint_as_float(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}
inline std::uint32_t __float_as_uint(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline float __fdividef(float a, float b) {
    return std::fabs(b) > 0x1p126f && !std::isinf(a) ? 0 : a / b;
}
inline float __fadd_rn(float a, float b) {
    return a + b;
}
inline float __fmul_rn(float a, float b) {
    return a * b;
}

// ---- the runtime

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInsufficientDriver = 35,
    cudaErrorDevicesUnavailable = 46,
    cudaErrorNoDevice = 100,
    cudaErrorNoKernelImageForDevice = 209,
    cudaErrorECCUncorrectable = 214,
    cudaErrorNvlinkUncorrectable = 220,
    cudaErrorContained = 226,
    cudaErrorNotReady = 600,
    cudaErrorIllegalAddress = 700,
    cudaErrorLaunchTimeout = 702,
    cudaErrorHardwareStackError = 714,
    cudaErrorIllegalInstruction = 715,
    cudaErrorMisalignedAddress = 716,
    cudaErrorInvalidAddressSpace = 717,
    cudaErrorInvalidPc = 718,
    cudaErrorLaunchFailure = 719,
    cudaErrorTensorMemoryLeak = 721,
    cudaErrorSystemNotReady = 802,
    cudaErrorSystemDriverMismatch = 803,
    cudaErrorMpsClientTerminated = 810,
    cudaErrorExternalDevice = 911
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
constexpr unsigned cudaStreamNonBlocking = 1;
enum cudaStreamCaptureMode { cudaStreamCaptureModeRelaxed = 2 };
constexpr unsigned cudaEventDefault = 0, cudaEventDisableTiming = 2;
using cudaStream_t = struct EmulatedStream*;
using cudaEvent_t = struct EmulatedEvent*;
using cudaGraph_t = struct EmulatedGraph*;
using cudaGraphExec_t = struct EmulatedGraphExec*;
struct cudaLaunchAttribute {};
struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    std::size_t dynamicSmemBytes = 0;
    cudaStream_t stream = nullptr;
    cudaLaunchAttribute* attrs = nullptr;
    unsigned numAttrs = 0;
};
struct cudaDeviceProp {
    char name[256] = "emulated card";
    struct {
        char bytes[16];
    } uuid{};
    int major = 0, minor = 0, multiProcessorCount = 0;
    std::size_t totalGlobalMem = 0;
};

const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total);
cudaError_t cudaMalloc(void** memory, std::size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* to, int byte, std::size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaGetLastError();
cudaError_t cudaMallocHost(void** memory, std::size_t bytes);
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* ready, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t ready, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t ready);

template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel, cudaFuncAttribute, int bytes) {
    return bytes <= 99 * 1024 ? cudaSuccess : cudaErrorInvalidValue;  // as on cards of 8.6 and 8.9
}

namespace isogrid::kernels::cuda_on_cpu {

template <class T>
void expect_on_card([[maybe_unused]] const T& argument) {
    if constexpr (std::is_pointer_v<T>)
        if (argument != nullptr && !on_card(argument)) stop("a kernel was handed memory of the program");
}

/// Puts it at the end of the stream, or of the graph that is being captured there.
void submit(cudaStream_t stream, std::function<void()> work);
/// The same for work that says whether it is done, and is asked again until it is.
void submit_waiting(cudaStream_t stream, std::function<bool()> work);
/// Whoever waits for a stream asks its work again.
void ask_again();
/// What stays with the card, whoever of the process met it; cudaSuccess ends that.
void set_standing_error(cudaError_t error);
/// Keeps it as long as the graph that is being captured there, and what is made of that; nowhere else.
void keep_with_graph(cudaStream_t stream, const std::shared_ptr<void>& kept);

}  // namespace isogrid::kernels::cuda_on_cpu

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
    namespace card = isogrid::kernels::cuda_on_cpu;
    if (config->gridDim.x == 0 || config->gridDim.y == 0 || config->gridDim.z == 0)
        return cudaErrorInvalidValue;
    (card::expect_on_card<Parameters>(arguments), ...);
    const std::tuple<Parameters...> kept(arguments...);
    const dim3 grid = config->gridDim, block = config->blockDim;
    const std::size_t shared = config->dynamicSmemBytes;
    card::note_asked({.kernels = 1, .blocks = std::int64_t{grid.x} * grid.y * grid.z});
    card::submit(config->stream, [=] {
        card::run_grid({grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared,
                       [&] { std::apply(kernel, kept); });
    });
    return cudaSuccess;
}
