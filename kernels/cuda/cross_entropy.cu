// Losses of rows of logits, and their gradient: a block a row.
#include <cfloat>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/kernels.hpp"

namespace isogrid::kernels::cuda {
namespace {

/// Of some scaled logits z: the largest, and the sum of exp(z - largest). Of none: the lowest float and 0.
struct Softmax {
    float largest = -FLT_MAX, sum = 0;
};

__device__ Softmax softmax_of_row(const Softmax& mine, float* places) {
    const float largest = largest_of_block(mine.largest, places);
    return {largest, sum_over_block(mine.sum * expf(mine.largest - largest), places)};
}

/// This thread's part of a row, read once.
template <int count>
__device__ Softmax softmax_of_part(const float* logits, std::int64_t vocabulary, float scale) {
    Softmax mine;
    for (std::int64_t column = count * threadIdx.x; column < vocabulary; column += count * blockDim.x) {
        float numbers[count], most = mine.largest;
        read_some(numbers, logits + column);
        for (float& number : numbers) {
            number *= scale;
            most = fmaxf(most, number);
        }
        mine.sum *= expf(mine.largest - most);
        mine.largest = most;
        for (const float number : numbers)
            mine.sum += expf(number - most);
    }
    return mine;
}

__device__ float loss_of(const Softmax& softmax, float target_logit) {
    return logf(softmax.sum) - (target_logit - softmax.largest);
}

template <int count>
__global__ void cross_entropy_kernel(std::int64_t vocabulary, const float* logits, const TokenId* targets,
                                     float logit_scale, float* losses) {
    const std::int64_t row = blockIdx.x;
    const float* values = logits + row * vocabulary;
    const Softmax softmax =
        softmax_of_row(softmax_of_part<count>(values, vocabulary, logit_scale), shared_at<float>());
    if (threadIdx.x == 0) losses[row] = loss_of(softmax, logit_scale * values[targets[row]]);
}

/// `gradient` has `stride` numbers a row. It may be the logits' own memory where it is float32.
template <int count, class Number>
__global__ void cross_entropy_gradient_kernel(std::int64_t vocabulary, std::int64_t stride,
                                              const float* logits, const TokenId* targets, float logit_scale,
                                              float loss_scale, float* losses, Number* gradient) {
    const std::int64_t row = blockIdx.x, target = targets[row];
    const float* values = logits + row * vocabulary;
    const Softmax mine = softmax_of_part<count>(values, vocabulary, logit_scale);
    const float target_logit = logit_scale * values[target];
    const Softmax softmax = softmax_of_row(mine, shared_at<float>());  // and all have read the target's
    if (threadIdx.x == 0) losses[row] = loss_of(softmax, target_logit);
    const float factor = loss_scale * logit_scale, inverse = 1 / softmax.sum;
    Number* slopes = gradient + row * stride;
    for (std::int64_t column = count * threadIdx.x; column < vocabulary; column += count * blockDim.x) {
        float numbers[count];
        read_some(numbers, values + column);
        for (int i = 0; i < count; ++i)
            numbers[i] = factor * (expf(logit_scale * numbers[i] - softmax.largest) * inverse -
                                   (column + i == target ? 1.0f : 0.0f));
        write_some(slopes + column, numbers);
    }
    // The number that fills up an odd row.
    if (threadIdx.x == 0 && stride > vocabulary) write(slopes, vocabulary, 0.0f);
}

/// A thread for four logits of a row, in whole warps.
unsigned threads_of(std::int64_t vocabulary) {
    const std::int64_t warps = (vocabulary + 4 * lanes - 1) / (4 * lanes);
    return static_cast<unsigned>(lanes * std::clamp<std::int64_t>(warps, 1, threads_a_block / lanes));
}

}  // namespace

void cross_entropy(const Card& card, ConstMatrix logits, const TokenId* targets, float logit_scale,
                   float* losses) {
    for_neighbours(logits.columns, [&]<int count>() {
        launch(card, cross_entropy_kernel<count>, dim3(static_cast<unsigned>(logits.rows)),
               threads_of(logits.columns), lanes * sizeof(float), logits.columns, logits.data, targets,
               logit_scale, losses);
    });
}

void cross_entropy_gradient(const Card& card, MutableMatrix logits, const TokenId* targets, float logit_scale,
                            float loss_scale, float* losses, Activations logits_gradient) {
    const auto run = [&]<class Number>(Number* numbers) {
        for_neighbours(logits.columns, [&]<int count>() {
            launch(card, cross_entropy_gradient_kernel<count, Number>,
                   dim3(static_cast<unsigned>(logits.rows)), threads_of(logits.columns),
                   lanes * sizeof(float), logits.columns, logits_gradient.stride(), logits.data, targets,
                   logit_scale, loss_scale, losses, numbers);
        });
    };
    if (logits_gradient.element == Element::bfloat16)
        run(static_cast<Bfloat16*>(logits_gradient.data));
    else
        run(static_cast<float*>(logits_gradient.data));
}

}  // namespace isogrid::kernels::cuda
