// CUDA's runtime on the emulated card. Work on a stream is done as late as it may be: when somebody waits for
// it, so that what a copy reads too late, or the program too early, shows.
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "cuda_runtime.h"

namespace card = isogrid::kernels::cuda_on_cpu;

struct EmulatedGraph {
    std::vector<std::function<void()>> work;
};
struct EmulatedGraphExec {
    std::vector<std::function<void()>> work;
};
struct EmulatedStream {
    std::deque<std::function<void()>> waiting;
    std::size_t done = 0;                     ///< of all that was ever submitted
    std::unique_ptr<EmulatedGraph> captured;  ///< while capturing
};
struct EmulatedEvent {
    cudaStream_t stream = nullptr;
    std::size_t done = 0;  ///< so much of the stream must be
};

namespace {

std::recursive_mutex& turn() {
    static std::recursive_mutex mutex;
    return mutex;
}

std::set<cudaStream_t>& streams() {
    static std::set<cudaStream_t> streams;
    return streams;
}

void do_until(cudaStream_t stream, std::size_t done) {
    while (stream->done < done) {
        const std::function<void()> next = std::move(stream->waiting.front());
        stream->waiting.pop_front();
        ++stream->done;
        next();
    }
}

void do_all(cudaStream_t stream) {
    if (stream->captured) card::stop("somebody waits for a stream that is being captured");
    do_until(stream, stream->done + stream->waiting.size());
}

}  // namespace

namespace isogrid::kernels::cuda_on_cpu {

void submit(cudaStream_t stream, std::function<void()> work) {
    const std::lock_guard lock(turn());
    if (stream->captured)
        stream->captured->work.push_back(std::move(work));
    else
        stream->waiting.push_back(std::move(work));
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
    const std::lock_guard lock(turn());
    for (const cudaStream_t stream : streams())
        do_all(stream);
    card::release(memory);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    if (bytes == 0) return cudaSuccess;
    if (card::on_card(to) != (kind != cudaMemcpyDeviceToHost)) card::stop("a copy to the wrong memory");
    if (card::on_card(from) != (kind != cudaMemcpyHostToDevice)) card::stop("a copy from the wrong memory");
    card::submit(stream, [=] {
        const card::Access access;
        std::memmove(to, from, bytes);
    });
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int byte, std::size_t bytes, cudaStream_t stream) {
    if (bytes == 0) return cudaSuccess;
    if (!card::on_card(to)) card::stop("memory of the program is set as if it were the card's");
    card::submit(stream, [=] {
        const card::Access access;
        std::memset(to, byte, bytes);
    });
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
    *memory = std::malloc(bytes);
    return *memory != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void* memory) {
    std::free(memory);
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    const std::lock_guard lock(turn());
    *stream = new EmulatedStream;
    streams().insert(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    const std::lock_guard lock(turn());
    do_all(stream);
    streams().erase(stream);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    const std::lock_guard lock(turn());
    do_all(stream);
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    *event = new EmulatedEvent;
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    const std::lock_guard lock(turn());
    if (stream->captured) card::stop("an event of a stream that is being captured");
    *event = {stream, stream->done + stream->waiting.size()};
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    const std::lock_guard lock(turn());
    if (event->stream != nullptr) do_until(event->stream, event->done);
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
    const std::lock_guard lock(turn());
    if (stream->captured) card::stop("a stream is captured twice");
    stream->captured = std::make_unique<EmulatedGraph>();
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    const std::lock_guard lock(turn());
    if (!stream->captured) card::stop("a capture ends that never began");
    *graph = stream->captured.release();
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* ready, cudaGraph_t graph, unsigned long long) {
    *ready = new EmulatedGraphExec{graph->work};
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t ready, cudaStream_t stream) {
    for (const std::function<void()>& work : ready->work)
        card::submit(stream, work);
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t ready) {
    delete ready;
    return cudaSuccess;
}

cudaError_t cudaGetLastError() {
    return cudaSuccess;
}
