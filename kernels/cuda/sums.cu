// Sums of all numbers in float64, in an order that depends on their count alone.
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/kernels.hpp"

namespace isogrid::kernels::cuda {
namespace {

/// Blocks that share a sum: a function of its length alone.
unsigned parts_of(std::size_t size) {
    constexpr std::size_t of_part = 8 * threads_a_block;
    return static_cast<unsigned>(std::clamp<std::size_t>(size / of_part, 1, threads_a_block));
}

template <bool squares>
__global__ void sum_parts_kernel(std::int64_t size, const float* values, double* part_sums) {
    double total = 0;
    for (std::int64_t i = thread_of_grid(); i < size; i += threads_of_grid()) {
        const double value = values[i];
        total += squares ? value * value : value;
    }
    total = sum_over_block(total, shared_at<double>());
    if (threadIdx.x == 0) part_sums[blockIdx.x] = total;
}

__global__ void sum_of_parts_kernel(unsigned parts, const double* part_sums, double* total) {
    const double part = threadIdx.x < parts ? part_sums[threadIdx.x] : 0;
    const double sum = sum_over_block(part, shared_at<double>());
    if (threadIdx.x == 0) *total = sum;
}

template <bool squares>
void sum_into(const Card& card, std::span<const float> values, double* total) {
    const unsigned parts = parts_of(values.size());
    double* part_sums = card.scratch->take<double>(parts);
    launch(card, sum_parts_kernel<squares>, dim3(parts), threads_a_block, lanes * sizeof(double),
           std::int64_t(values.size()), values.data(), part_sums);
    launch(card, sum_of_parts_kernel, dim3(1), threads_a_block, lanes * sizeof(double), parts, part_sums,
           total);
}

}  // namespace

void sum(const Card& card, std::span<const float> values, double* total) {
    sum_into<false>(card, values, total);
}

void sum_of_squares(const Card& card, std::span<const float> values, double* total) {
    sum_into<true>(card, values, total);
}

}  // namespace isogrid::kernels::cuda
