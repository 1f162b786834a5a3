// Losses of rows of logits, and their gradient: a block a row.
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/kernels.hpp"

namespace isogrid::kernels::cuda {
namespace {

/// Of a row's scaled logits z: the largest, and the sum of exp(z - largest).
struct Softmax {
    float largest, sum;
};

__device__ Softmax softmax_of_row(const float* logits, std::int64_t vocabulary, float scale, float* places) {
    float largest = -INFINITY;
    for (std::int64_t column = threadIdx.x; column < vocabulary; column += blockDim.x)
        largest = fmaxf(largest, scale * logits[column]);
    largest = largest_of_block(largest, places);
    float sum = 0;
    for (std::int64_t column = threadIdx.x; column < vocabulary; column += blockDim.x)
        sum += expf(scale * logits[column] - largest);
    return {largest, sum_over_block(sum, places)};
}

__device__ float loss_of(Softmax softmax, float target_logit) {
    return logf(softmax.sum) - (target_logit - softmax.largest);
}

__global__ void cross_entropy_kernel(std::int64_t vocabulary, const float* logits, const TokenId* targets,
                                     float logit_scale, float* losses) {
    const std::int64_t row = blockIdx.x;
    const float* values = logits + row * vocabulary;
    const Softmax softmax = softmax_of_row(values, vocabulary, logit_scale, shared_at<float>());
    if (threadIdx.x == 0) losses[row] = loss_of(softmax, logit_scale * values[targets[row]]);
}

/// `gradient` has `stride` numbers a row. It may begin where the row itself does: the block reads all that it
/// then writes over.
template <class Number>
__global__ void cross_entropy_gradient_kernel(std::int64_t first_row, std::int64_t vocabulary,
                                              std::int64_t stride, const float* logits,
                                              const TokenId* targets, float logit_scale, float loss_scale,
                                              float* losses, Number* gradient) {
    const std::int64_t row = first_row + blockIdx.x;
    const float* values = logits + row * vocabulary;
    const std::int64_t target = targets[row];
    const float target_logit = logit_scale * values[target];
    const Softmax softmax = softmax_of_row(values, vocabulary, logit_scale, shared_at<float>());
    if (threadIdx.x == 0) losses[row] = loss_of(softmax, target_logit);
    const float factor = loss_scale * logit_scale;
    for (std::int64_t first = 0; first < stride; first += blockDim.x) {
        const std::int64_t column = first + threadIdx.x;
        float slope = 0;  // also of the number that fills up an odd row
        if (column < vocabulary) {
            const float probability = expf(logit_scale * values[column] - softmax.largest) / softmax.sum;
            slope = factor * (probability - (column == target ? 1.0f : 0.0f));
        }
        __syncthreads();
        if (column < stride) write(gradient, row * stride + column, slope);
    }
}

/// A thread for four logits of a row, in whole warps.
unsigned threads_of(std::int64_t vocabulary) {
    const std::int64_t warps = (vocabulary + 4 * lanes - 1) / (4 * lanes);
    return static_cast<unsigned>(lanes * std::clamp<std::int64_t>(warps, 1, threads_a_block / lanes));
}

template <class Number>
void launch_gradient(const Card& card, std::int64_t first_row, std::int64_t rows, MutableMatrix logits,
                     const TokenId* targets, float logit_scale, float loss_scale, float* losses,
                     Activations logits_gradient) {
    launch(card, cross_entropy_gradient_kernel<Number>, dim3(static_cast<unsigned>(rows)),
           threads_of(logits.columns), lanes * sizeof(float), first_row, logits.columns,
           logits_gradient.stride(), logits.data, targets, logit_scale, loss_scale, losses,
           static_cast<Number*>(logits_gradient.data));
}

}  // namespace

void cross_entropy(const Card& card, ConstMatrix logits, const TokenId* targets, float logit_scale,
                   float* losses) {
    launch(card, cross_entropy_kernel, dim3(static_cast<unsigned>(logits.rows)), threads_of(logits.columns),
           lanes * sizeof(float), logits.columns, logits.data, targets, logit_scale, losses);
}

void cross_entropy_gradient(const Card& card, MutableMatrix logits, const TokenId* targets, float logit_scale,
                            float loss_scale, float* losses, Activations logits_gradient) {
    if (logits_gradient.element == Element::float32)
        return launch_gradient<float>(card, 0, logits.rows, logits, targets, logit_scale, loss_scale, losses,
                                      logits_gradient);
    if (logits_gradient.data != static_cast<const void*>(logits.data))
        return launch_gradient<Bfloat16>(card, 0, logits.rows, logits, targets, logit_scale, loss_scale,
                                         losses, logits_gradient);
    // In place a row's gradient goes where half as far rows had their logits. So many rows at a time write
    // only over those of earlier launches: twice as many each time, 17 launches for 65,536 rows.
    const std::int64_t stride = logits_gradient.stride();
    for (std::int64_t first = 0, end = 0; first < logits.rows; first = end) {
        const std::int64_t clear =
            2 * logits.columns * first / stride;  // rows of gradient before row `first`
        end = std::min(logits.rows, std::max(first + 1, clear));
        launch_gradient<Bfloat16>(card, first, end - first, logits, targets, logit_scale, loss_scale, losses,
                                  logits_gradient);
    }
}

}  // namespace isogrid::kernels::cuda
