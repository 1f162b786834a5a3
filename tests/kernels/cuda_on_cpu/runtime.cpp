// CUDA's runtime on the emulated card. Work on a stream is done as late as it may be: when somebody waits for
// it, so that what a copy reads too late, or the program too early, shows.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "cuda_runtime.h"

namespace card = isogrid::kernels::cuda_on_cpu;

/// Work that says whether it is done: what it waits for may still be to come.
using Work = std::function<bool()>;

struct EmulatedGraph {
    std::vector<Work> work;
    std::set<cudaStream_t> streams;  ///< that are captured into it
    std::vector<std::shared_ptr<void>> kept;
};
struct EmulatedGraphExec {
    std::vector<Work> work;
    std::vector<std::shared_ptr<void>> kept;
};
struct EmulatedStream {
    std::deque<Work> waiting;
    std::size_t done = 0;                     ///< of all that was ever submitted
    std::shared_ptr<EmulatedGraph> captured;  ///< while capturing
    bool forked = false;                      ///< joined a capture that another stream began
    bool busy = false;                        ///< a thread is at its first work
};
struct EmulatedEvent {
    cudaStream_t stream = nullptr;
    std::size_t done = 0;                          ///< so much of the stream must be
    std::shared_ptr<EmulatedGraph> captured = {};  ///< recorded in a stream that is being captured
    bool timed = false;
    std::shared_ptr<std::chrono::steady_clock::time_point> reached = {};  ///< where it is timed
};

namespace {

/// Held by whoever looks at streams or runs their work; let go of while that waits for another's.
std::recursive_mutex& turn() {
    static std::recursive_mutex mutex;
    return mutex;
}
std::condition_variable_any& submitted() {
    static std::condition_variable_any changed;
    return changed;
}

std::set<cudaStream_t>& streams() {
    static std::set<cudaStream_t> streams;
    return streams;
}

/// Whether the stream's first work could be done.
bool do_one(cudaStream_t stream) {
    if (stream->waiting.empty() || stream->busy) return false;
    stream->busy = true;
    const bool done = stream->waiting.front()();
    stream->busy = false;
    if (!done) return false;
    stream->waiting.pop_front();
    ++stream->done;
    submitted().notify_all();
    return true;
}

/// One piece of work of any stream, this one first.
bool do_any(cudaStream_t stream) {
    if (do_one(stream)) return true;
    return std::any_of(streams().begin(), streams().end(), do_one);
}

/// What the stream waits for may be other streams' work, done here too, or still to be submitted.
void do_until(cudaStream_t stream, std::size_t done) {
    std::unique_lock lock(turn());
    while (stream->done < done)
        if (!do_any(stream)) submitted().wait(lock);
}

void do_all(cudaStream_t stream) {
    if (stream->captured) card::stop("somebody waits for a stream that is being captured");
    do_until(stream, stream->done + stream->waiting.size());
}

}  // namespace

namespace isogrid::kernels::cuda_on_cpu {

void submit_waiting(cudaStream_t stream, Work work) {
    const std::lock_guard lock(turn());
    if (stream->captured)
        stream->captured->work.push_back(std::move(work));
    else
        stream->waiting.push_back(std::move(work));
    submitted().notify_all();
}

void submit(cudaStream_t stream, std::function<void()> work) {
    submit_waiting(stream, [work = std::move(work)] {
        work();
        return true;
    });
}

namespace {
std::atomic<cudaError_t> standing_error = cudaSuccess;
}
void set_standing_error(cudaError_t error) {
    standing_error = error;
}

void ask_again() {
    const std::lock_guard lock(turn());
    submitted().notify_all();
}

void keep_with_graph(cudaStream_t stream, const std::shared_ptr<void>& kept) {
    const std::lock_guard lock(turn());
    if (stream->captured) stream->captured->kept.push_back(kept);
}

}  // namespace isogrid::kernels::cuda_on_cpu

const char* cudaGetErrorString(cudaError_t error) {
    return error == cudaSuccess ? "no error" : "an emulated error";
}

namespace {
constexpr int cards = 8;  // that differ in their identity; they share their memory
}

cudaError_t cudaGetDeviceCount(int* count) {
    *count = cards;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    return device >= 0 && device < cards ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaGetDevice(int* device) {
    *device = 0;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    *properties = {};
    properties->uuid.bytes[0] = static_cast<char>(1 + device);
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
    return card::standing_error;
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
    *memory = bytes > 0 ? card::allocate(bytes) : nullptr;
    return *memory != nullptr || bytes == 0 ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFree(void* memory) {
    const std::lock_guard lock(turn());
    // All work of a card is done before its memory is free; what waits for another rank's stays.
    for (bool moved = true; moved;)
        moved = std::any_of(streams().begin(), streams().end(), do_one);
    card::release(memory);
    return cudaSuccess;
}

namespace {

/// Page-locked memory of the program: bytes by address.
std::map<const std::byte*, std::size_t>& page_locked() {
    static std::map<const std::byte*, std::size_t> pieces;
    return pieces;
}

bool is_page_locked(const void* memory) {
    const std::lock_guard lock(turn());
    const auto* byte = static_cast<const std::byte*>(memory);
    const auto behind = page_locked().upper_bound(byte);
    if (behind == page_locked().begin()) return false;
    const auto& [first, bytes] = *std::prev(behind);
    return byte < first + bytes;
}

}  // namespace

/// As CUDA's documentation has it ("API synchronization behavior"): a copy to memory that is not page-locked
/// blocks the call until it is done; one from there would wait for the stream, which nobody wants here.
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    if (bytes == 0) return cudaErrorInvalidValue;  // nothing is promised of no bytes
    if (kind != cudaMemcpyDeviceToDevice && stream->captured)
        card::stop("a copy to or from the program's memory is captured");
    if (kind == cudaMemcpyHostToDevice && !is_page_locked(from))
        card::stop("a copy from memory that is not page-locked waits for the stream");
    if (card::on_card(to) != (kind != cudaMemcpyDeviceToHost)) card::stop("a copy to the wrong memory");
    if (card::on_card(from) != (kind != cudaMemcpyHostToDevice)) card::stop("a copy from the wrong memory");
    card::submit(stream, [=] {
        const card::Access access;
        std::memmove(to, from, bytes);
    });
    if (kind == cudaMemcpyDeviceToHost && !is_page_locked(to)) do_all(stream);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int byte, std::size_t bytes, cudaStream_t stream) {
    if (bytes == 0) return cudaErrorInvalidValue;  // nothing is promised of no bytes
    if (!card::on_card(to)) card::stop("memory of the program is set as if it were the card's");
    card::note_asked({.clearings = 1});
    card::submit(stream, [=] {
        const card::Access access;
        std::memset(to, byte, bytes);
    });
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
    *memory = std::malloc(bytes);
    if (*memory == nullptr) return cudaErrorMemoryAllocation;
    const std::lock_guard lock(turn());
    page_locked().emplace(static_cast<const std::byte*>(*memory), bytes);
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void* memory) {
    const std::lock_guard lock(turn());
    page_locked().erase(static_cast<const std::byte*>(memory));
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
    static std::vector<std::unique_ptr<EmulatedStream>>
        destroyed;  // other streams may still wait for its work
    do_all(stream);
    const std::lock_guard lock(turn());
    streams().erase(stream);
    destroyed.emplace_back(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    do_all(stream);
    return cudaSuccess;
}

/// Does what can be done, as a card does without being asked.
cudaError_t cudaStreamQuery(cudaStream_t stream) {
    const std::lock_guard lock(turn());
    if (stream->captured) card::stop("somebody asks after a stream that is being captured");
    const std::size_t all = stream->done + stream->waiting.size();
    while (stream->done < all)
        if (!do_any(stream)) return cudaErrorNotReady;
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    const std::lock_guard lock(turn());
    if (event->captured) {
        // Work is replayed in the order in which it was captured, which is one that all waits allow.
        if (stream->captured != nullptr && stream->captured != event->captured)
            card::stop("a stream waits for an event of another capture");
        if (stream->captured == nullptr) {
            stream->captured = event->captured;
            stream->forked = true;
            event->captured->streams.insert(stream);
        }
        if (!stream->forked) event->captured->streams.erase(event->stream);  // joined
        return cudaSuccess;
    }
    if (stream->captured) card::stop("a captured stream waits for an event of none");
    if (event->stream != nullptr)
        card::submit_waiting(stream, [of = event->stream, done = event->done] { return of->done >= done; });
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
    *event = new EmulatedEvent{.timed = (flags & cudaEventDisableTiming) == 0};
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    const std::lock_guard lock(turn());
    if (event->timed) {
        if (stream->captured) card::stop("a time is asked for in a capture");
        event->reached = std::make_shared<std::chrono::steady_clock::time_point>();
        card::submit(stream, [reached = event->reached] { *reached = std::chrono::steady_clock::now(); });
    }
    event->stream = stream;
    event->done = stream->done + stream->waiting.size();
    event->captured = stream->captured;
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
    if (!start->reached || !end->reached) card::stop("a time is read of an event that has none");
    if (cudaEventQuery(start) != cudaSuccess || cudaEventQuery(end) != cudaSuccess)
        card::stop("a time is read before it is known");
    *milliseconds = std::chrono::duration<float, std::milli>(*end->reached - *start->reached).count();
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    if (event->stream != nullptr) do_until(event->stream, event->done);
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
    const std::lock_guard lock(turn());
    while (event->stream != nullptr && event->stream->done < event->done)
        if (!do_any(event->stream)) return cudaErrorNotReady;
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
    const std::lock_guard lock(turn());
    if (stream->captured) card::stop("a stream is captured twice");
    stream->captured = std::make_shared<EmulatedGraph>();
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    const std::lock_guard lock(turn());
    if (!stream->captured) card::stop("a capture ends that never began");
    if (!stream->captured->streams.empty()) card::stop("a capture ends before all of its streams are joined");
    for (const cudaStream_t other : streams())
        if (other != stream && other->captured == stream->captured) {
            other->captured.reset();
            other->forked = false;
        }
    *graph = new EmulatedGraph{std::move(stream->captured->work), {}, std::move(stream->captured->kept)};
    stream->captured.reset();
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* ready, cudaGraph_t graph, unsigned long long) {
    *ready = new EmulatedGraphExec{graph->work, graph->kept};
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t ready, cudaStream_t stream) {
    for (const Work& work : ready->work)
        card::submit_waiting(stream, work);
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t ready) {
    delete ready;
    return cudaSuccess;
}

cudaError_t cudaGetLastError() {
    return cudaSuccess;
}
