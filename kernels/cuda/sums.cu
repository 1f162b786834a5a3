// Sums in float64, in an order that depends on the counts of numbers and runs alone.
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/kernels.hpp"

namespace isogrid::kernels::cuda {
namespace {

__device__ double value_of(float number, bool squares) {
    const double value = number;
    return squares ? value * value : value;
}

/// Block (part, run) sums its share of a run: every gridDim.x-th row of blockDim.x numbers.
__global__ void sum_parts_kernel(const float* values, const Run* runs, double* part_sums) {
    const Run run = runs[blockIdx.y];
    double total = 0;
    for (std::int64_t i = thread_of_grid(); i < run.size; i += threads_of_grid())
        total += value_of(values[run.first + i], true);
    total = sum_over_block(total, shared_at<double>());
    if (threadIdx.x == 0) part_sums[std::int64_t{blockIdx.y} * gridDim.x + blockIdx.x] = total;
}

/// Of one run, all of `values`, whose description need not be on the card.
__global__ void sum_parts_of_all_kernel(std::int64_t size, const float* values, double* part_sums) {
    double total = 0;
    for (std::int64_t i = thread_of_grid(); i < size; i += threads_of_grid())
        total += value_of(values[i], false);
    total = sum_over_block(total, shared_at<double>());
    if (threadIdx.x == 0) part_sums[blockIdx.x] = total;
}

/// Block (., run) adds up the parts of a run.
__global__ void sum_runs_kernel(std::int64_t parts, const double* part_sums, double* run_sums) {
    double sum = 0;
    for (std::int64_t part = threadIdx.x; part < parts; part += blockDim.x)
        sum += part_sums[blockIdx.y * parts + part];
    sum = sum_over_block(sum, shared_at<double>());
    if (threadIdx.x == 0) run_sums[blockIdx.y] = sum;
}

/// One block; each thread adds up the runs of its kind, in their order.
__global__ void add_runs_kernel(std::int64_t run_count, const Run* runs, const double* run_sums,
                                double* totals) {
    double sum = 0;
    bool has_any = false;
    for (std::int64_t run = 0; run < run_count; ++run)
        if (runs[run].kind == threadIdx.x) {
            sum += run_sums[run];
            has_any = true;
        }
    if (has_any) totals[threadIdx.x] += sum;
}

__global__ void add_all_kernel(std::int64_t parts, const double* part_sums, double* total) {
    double sum = 0;
    for (std::int64_t part = threadIdx.x; part < parts; part += blockDim.x)
        sum += part_sums[part];
    sum = sum_over_block(sum, shared_at<double>());
    if (threadIdx.x == 0) *total += sum;
}

/// Blocks that share a run, of so many numbers on average.
unsigned parts_of(std::size_t size) {
    constexpr std::size_t of_part = 8 * threads_a_block, most = 1024;
    return static_cast<unsigned>(std::clamp<std::size_t>(size / of_part, 1, most));
}

}  // namespace

void add_sum(const Card& card, std::span<const float> values, double* total) {
    const unsigned parts = parts_of(values.size());
    double* part_sums = card.scratch->take<double>(parts);
    launch(card, sum_parts_of_all_kernel, dim3(parts), threads_a_block, lanes * sizeof(double),
           std::int64_t(values.size()), values.data(), part_sums);
    launch(card, add_all_kernel, dim3(1), threads_a_block, lanes * sizeof(double), std::int64_t{parts},
           part_sums, total);
}

void add_sums_of_squares(const Card& card, std::span<const float> values, std::span<const Run> runs,
                         double* totals) {
    if (runs.empty()) return;
    const unsigned parts = parts_of(values.size() / runs.size());
    const auto run_count = std::int64_t(runs.size());
    double* part_sums = card.scratch->take<double>((parts + 1) * run_count);
    double* run_sums = part_sums + parts * run_count;
    const auto along_runs = static_cast<unsigned>(runs.size());
    launch(card, sum_parts_kernel, dim3(parts, along_runs), threads_a_block, lanes * sizeof(double),
           values.data(), runs.data(), part_sums);
    launch(card, sum_runs_kernel, dim3(1, along_runs), threads_a_block, lanes * sizeof(double),
           std::int64_t{parts}, part_sums, run_sums);
    launch(card, add_runs_kernel, dim3(1), threads_a_block, 0, run_count, runs.data(), run_sums, totals);
}

}  // namespace isogrid::kernels::cuda
