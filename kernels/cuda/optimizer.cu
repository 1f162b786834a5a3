// What a step ends with: its scalars, and AdamW over all parameters at once.
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/kernels.hpp"

namespace isogrid::kernels::cuda {
namespace {

/// Neither infinite nor not-a-number: of those the difference is none either.
__device__ bool is_number(double value) {
    return value - value == 0;
}

__global__ void close_step_kernel(const double* loss_sum, const double* squares, const AdamWStep* step,
                                  StepRule rule, Standing* standing) {
    if (threadIdx.x != 0 || standing->ended_at != 0) return;
    const double loss = *loss_sum / rule.tokens, norm = sqrt(*squares);
    standing->loss = loss;
    standing->loss_sum += loss;
    standing->gradient_norm = norm;
    standing->gradient_scale = rule.gradient_clip > 0 && norm > rule.gradient_clip
                                   ? static_cast<float>(rule.gradient_clip / norm)
                                   : 1.0f;
    if (!is_number(loss) || !is_number(norm)) standing->ended_at = step->step;
}

struct Moments {
    float *weights, *first, *second;
};

/// Factors of a step, worked out once a block.
struct Factors {
    AdamWStep step;
    float gradient_scale;
    float first_correction, second_correction;  ///< 1 / (1 - beta^step)
};

/// Where a run's weights go as bfloat16: into the matrix that has them, from its number `first` on.
struct Copy {
    Bfloat16* matrix = nullptr;  ///< none: the run is not multiplied with
    std::int64_t first, columns, stride;
};

/// What has to be rounded, of so many matrices.
struct Copies {
    const PackedWeights* matrices;
    std::int64_t count;
};

struct OfBlock {
    Factors factors;
    Copy copy;
};

__device__ float correction(float beta, std::int64_t step) {
    return static_cast<float>(1 / (1 - pow(static_cast<double>(beta), static_cast<double>(step))));
}

__device__ void update(const Factors& factors, float gradient, float& weight, float& first_moment,
                       float& second_moment) {
    const AdamWStep& step = factors.step;
    const float slope = factors.gradient_scale * gradient;
    const float first = step.beta1 * first_moment + (1 - step.beta1) * slope;
    const float second = step.beta2 * second_moment + (1 - step.beta2) * slope * slope;
    first_moment = first;
    second_moment = second;
    const float move =
        first * factors.first_correction / (sqrtf(second * factors.second_correction) + step.epsilon);
    weight = weight - step.decay * weight - step.learning_rate * move;
}

/// Every thread of the block looks at other matrices; one of them has the run, or none.
__device__ void find_copy(const Copies& copies, const float* run, Copy& found) {
    for (std::int64_t i = threadIdx.x; i < copies.count; i += blockDim.x) {
        const PackedWeights matrix = copies.matrices[i];
        const float* first = matrix.weights.data;
        const std::int64_t columns = matrix.weights.columns;
        if (run >= first && run < first + matrix.weights.rows * columns)
            found = {reinterpret_cast<Bfloat16*>(matrix.packed), run - first, columns, columns + columns % 2};
    }
}

/// Number i of the run. What fills up an odd row stays the zero that it is.
__device__ void write_copy(const Copy& copy, std::int64_t i, float weight) {
    if (copy.matrix == nullptr) return;
    std::int64_t place = copy.first + i;
    if (copy.stride != copy.columns) place += place / copy.columns;
    write(copy.matrix, place, weight);
}

/// Numbers i to i + 4 of a run that begins at a multiple of four, as its matrix does.
__device__ void write_copy(const Copy& copy, std::int64_t i, const float4& weights) {
    const float numbers[4] = {weights.x, weights.y, weights.z, weights.w};
    if (copy.matrix != nullptr && copy.stride == copy.columns)
        write_some(copy.matrix + copy.first + i, numbers);
    else
        for (int j = 0; j < 4; ++j)
            write_copy(copy, i + j, numbers[j]);
}

/// Block (part, run) takes every gridDim.x-th row of blockDim.x fours of a run; the last three numbers or
/// fewer are the first part's.
__global__ void adamw_kernel(const Run* runs, const AdamWStep* steps, const Standing* standing,
                             const float* gradient, Moments to, Copies copies) {
    const Run run = runs[blockIdx.y];
    // Only tensors that follow one another without a gap begin elsewhere than at 64 bytes.
    const std::int64_t fours = run.first % 4 == 0 ? run.size / 4 : 0;
    if (standing->ended_at != 0 || (blockIdx.x > 0 && fours > 0 && blockIdx.x * blockDim.x >= fours)) return;
    OfBlock& of_block = *shared_at<OfBlock>();
    if (threadIdx.x == 0) {
        Factors& factors = of_block.factors;
        factors.step = steps[run.kind];
        factors.gradient_scale = standing->gradient_scale;
        factors.first_correction = correction(factors.step.beta1, factors.step.step);
        factors.second_correction = correction(factors.step.beta2, factors.step.step);
        of_block.copy.matrix = nullptr;
    }
    __syncthreads();
    find_copy(copies, to.weights + run.first, of_block.copy);
    __syncthreads();
    const Factors mine = of_block.factors;
    const Copy copy = of_block.copy;
    const auto at = [&](float* of) { return reinterpret_cast<float4*>(of + run.first); };
    const auto* slopes = reinterpret_cast<const float4*>(gradient + run.first);
    for (std::int64_t i = thread_of_grid(); i < fours; i += threads_of_grid()) {
        const float4 slope = slopes[i];
        float4 weight = at(to.weights)[i], first = at(to.first)[i], second = at(to.second)[i];
        update(mine, slope.x, weight.x, first.x, second.x);
        update(mine, slope.y, weight.y, first.y, second.y);
        update(mine, slope.z, weight.z, first.z, second.z);
        update(mine, slope.w, weight.w, first.w, second.w);
        at(to.weights)[i] = weight;
        at(to.first)[i] = first;
        at(to.second)[i] = second;
        write_copy(copy, 4 * i, weight);
    }
    for (std::int64_t i = 4 * fours + thread_of_grid(); i < run.size; i += threads_of_grid()) {
        const std::int64_t place = run.first + i;
        update(mine, gradient[place], to.weights[place], to.first[place], to.second[place]);
        write_copy(copy, i, to.weights[place]);
    }
}

}  // namespace

void close_step(const Card& card, const double* loss_sum, const double* squares, const AdamWStep* step,
                StepRule rule, Standing* standing) {
    launch(card, close_step_kernel, dim3(1), lanes, 0, loss_sum, squares, step, rule, standing);
}

void adamw(const Card& card, std::span<const Run> runs, const AdamWStep* steps, const Standing* standing,
           std::span<const float> gradient, float* weights, float* first_moment, float* second_moment,
           std::span<const PackedWeights> copies) {
    if (runs.empty()) return;
    constexpr std::size_t of_part = 4 * threads_a_block, most = 64;
    const auto parts =
        static_cast<unsigned>(std::clamp<std::size_t>(gradient.size() / runs.size() / of_part, 1, most));
    launch(card, adamw_kernel, dim3(parts, static_cast<unsigned>(runs.size())), threads_a_block,
           sizeof(OfBlock), runs.data(), steps, standing, gradient.data(),
           Moments{weights, first_moment, second_moment}, Copies{copies.data(), std::int64_t(copies.size())});
}

}  // namespace isogrid::kernels::cuda
