#include "kernels/cuda/recording.hpp"

#include <memory>
#include <type_traits>

namespace isogrid::kernels::cuda {

namespace {

struct GraphDestroyer {
    void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
};
using Graph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, GraphDestroyer>;

/// Ends the capture of what `work` does on the stream, also where it throws.
Graph captured(const std::function<void()>& work, cudaStream_t stream) {
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "recording a step");
    cudaGraph_t graph = nullptr;
    try {
        work();
    } catch (...) {
        cudaStreamEndCapture(stream, &graph);
        const Graph unfinished(graph);
        cudaGetLastError();  // that the capture has failed, which is known here
        throw;
    }
    check(cudaStreamEndCapture(stream, &graph), "recording a step");
    return Graph(graph);
}

}  // namespace

Recording::~Recording() {
    if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
}

void Recording::capture() {
    const Graph graph = captured(work_, stream_);
    check(cudaGraphInstantiate(&graph_, graph.get(), 0), "making a recorded step ready");
}

void Recording::run() {
    if (!ready_) {
        work_();
        ready_ = true;
        return;
    }
    if (graph_ == nullptr) capture();
    check(cudaGraphLaunch(graph_, stream_), "starting a recorded step");
}

}  // namespace isogrid::kernels::cuda
