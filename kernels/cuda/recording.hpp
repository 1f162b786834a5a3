// Work on a stream as one launch: a CUDA graph of all that it did.
#pragma once

#include <cuda_runtime.h>
#include <functional>

#include "kernels/cuda/runtime.hpp"

namespace isogrid::kernels::cuda {

class Recording {
  public:
    /// `work` launches on `stream` and nowhere else.
    Recording(std::function<void()> work, cudaStream_t stream) : work_(std::move(work)), stream_(stream) {}
    ~Recording();
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;

    /// The first time does the work itself, by which libraries and scratch memory become ready; the second
    /// captures it; from then on it is launched as a whole.
    void run();

    /// What the work is to use between its kernels: it stays where the graph has it.
    Scratch& scratch() { return scratch_; }

  private:
    void capture();

    std::function<void()> work_;
    cudaStream_t stream_;
    Scratch scratch_;
    cudaGraphExec_t graph_ = nullptr;
    bool ready_ = false;
};

}  // namespace isogrid::kernels::cuda
