// What the backends that live on the host share: memory, allocations and plain copies, and a step's scalars.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <span>

#include "kernels/backend.hpp"

namespace isogrid::kernels {

class HostBackend : public Backend {
  public:
    using Backend::accumulate;

    Storage allocate(std::size_t bytes) override;
    void copy_in(void* destination, const void* host_source, std::size_t bytes) override;
    void copy_out(void* host_destination, const void* source, std::size_t bytes) override;
    void fill_zero(void* destination, std::size_t bytes) override;

    std::int64_t scratch_bytes(std::int64_t, std::int64_t, std::int64_t) const override { return 0; }

    bool on_host() const override { return true; }
    std::function<void()> recorded(std::function<void()> work) override { return work; }
    std::unique_ptr<Stopwatch> stopwatch() override;

    void pack_weights_again(PackedCopies copies) override {
        for (const PackedWeights& matrix : copies.matrices)
            pack_weights(matrix.weights, matrix.element, matrix.packed);
    }

    void accumulate(std::span<double> destination, std::span<const double> source) override;
    void close_step(const double* loss_sum, const double* squares, const AdamWStep* step, StepRule rule,
                    Standing* standing) override;

    /// Few rows keep a block's activations in the cache; many spread the cost of adding to the gradients of
    /// all weights, which wide models feel (docs/performance.md has the measurements).
    std::int64_t rows_at_once(std::int64_t width) const override { return width >= 128 ? 512 : 256; }
    /// All of such a block.
    std::int64_t logit_rows_at_once(std::int64_t) const override {
        return std::numeric_limits<std::int64_t>::max();
    }
    std::int64_t steps_a_launch(double, std::int64_t) const override { return 1; }
    int trials_at_once() const override { return std::numeric_limits<int>::max(); }
};

}  // namespace isogrid::kernels
