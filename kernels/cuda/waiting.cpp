#include "kernels/cuda/waiting.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "kernels/cuda/runtime.hpp"

namespace isogrid::kernels::cuda {

namespace {

constexpr const char* computing = "computing on the card";

/// Whether a query says that all is done; throws where it says that something went wrong.
bool is_done(cudaError_t said) {
    if (said == cudaErrorNotReady) {
        cudaGetLastError();  // which has it, too, though nothing is wrong
        return false;
    }
    check(said, computing);
    return true;
}

}  // namespace

void wait_until(const std::function<bool()>& done, const Look& look) {
    using Clock = std::chrono::steady_clock;
    constexpr Clock::duration awake = std::chrono::microseconds(100),
                              longest_nap = std::chrono::milliseconds(1);
    const auto start = Clock::now();
    while (!done()) {
        if (look) look();
        const Clock::duration waited = Clock::now() - start;
        if (waited > awake) std::this_thread::sleep_for(std::min(waited / 8, longest_nap));
    }
}

void wait_for(cudaStream_t stream, const Look& look) {
    if (!look) return check(cudaStreamSynchronize(stream), computing);
    wait_until([&] { return is_done(cudaStreamQuery(stream)); }, look);
}

void wait_for(cudaEvent_t event, const Look& look) {
    if (!look) return check(cudaEventSynchronize(event), computing);
    wait_until([&] { return is_done(cudaEventQuery(event)); }, look);
}

}  // namespace isogrid::kernels::cuda
