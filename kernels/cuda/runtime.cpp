#include "kernels/cuda/runtime.hpp"

#include <new>
#include <stdexcept>
#include <string>

#include "kernels/cuda/card_check.hpp"
#include "kernels/cuda/cards.hpp"

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
        case cudaErrorSystemNotReady:
            return "see whether nvidia-fabricmanager runs on this node, or ask for another";
        case cudaErrorSystemDriverMismatch:
            return "restart the node, whose driver is not the one that its kernel loaded";
        case cudaErrorECCUncorrectable:
        case cudaErrorNvlinkUncorrectable:
            return "take the node out of use: its card or its links are broken";
        default:
            return "run it again under compute-sanitizer to see where";
    }
}

/// Errors after which CUDA answers every call of the process with an error (driver_types.h: "leaves the
/// process in an inconsistent state", and the memory or the links of a card that is broken). Those that
/// headers before CUDA 13's lack have their numbers here.
bool ends_all_work(cudaError_t error) {
    switch (static_cast<int>(error)) {
        case 226:  // cudaErrorContained
        case 721:  // cudaErrorTensorMemoryLeak
        case 810:  // cudaErrorMpsClientTerminated
        case 911:  // cudaErrorExternalDevice
        case cudaErrorECCUncorrectable:
        case cudaErrorNvlinkUncorrectable:
        case cudaErrorIllegalAddress:
        case cudaErrorLaunchTimeout:
        case cudaErrorHardwareStackError:
        case cudaErrorIllegalInstruction:
        case cudaErrorMisalignedAddress:
        case cudaErrorInvalidAddressSpace:
        case cudaErrorInvalidPc:
        case cudaErrorLaunchFailure:
            return true;
        default:
            return false;
    }
}

}  // namespace

void check(cudaError_t error, const char* doing) {
    if (error == cudaSuccess) return;
    cudaGetLastError();  // else the next call, of another trial, would report it again
    if (error == cudaErrorMemoryAllocation) throw std::bad_alloc();
    const std::string problem = std::string(doing) + " failed (CUDA error " + std::to_string(error) + ": " +
                                cudaGetErrorString(error) + ") " + remedy(error);
    if (ends_all_work(error)) throw CardLost(problem);
    throw std::runtime_error(problem);
}

void check_card(const char* doing) {
    check(cudaGetLastError(), doing);
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), doing);
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
        // What was outgrown goes with what takes its place: freed now, it would wait for all that the card
        // does, which may wait for a member of its group that is gone.
        const Storage larger = allocate_on_card(bytes);
        storage_ = Storage(larger.get(), [larger, outgrown = storage_](std::byte*) {});
        bytes_ = bytes;
    }
    return storage_.get();
}

}  // namespace isogrid::kernels::cuda
