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

/// A thread's part of a row is `count` neighbours at a time, as many times blockDim.x apart. Rows of no more
/// than so many pieces a thread are kept in registers for a second look.
constexpr int most_pieces = 8;

/// Calls run(column, piece) for the thread's part of a row, which has `pieces` at most, or any number where
/// that is 0; then all are piece 0.
template <int count, int pieces, class Run>
__device__ void for_pieces(int vocabulary, Run run) {
    const int first = count * static_cast<int>(threadIdx.x), apart = count * static_cast<int>(blockDim.x);
    if constexpr (pieces > 0) {
#pragma unroll
        for (int piece = 0; piece < pieces; ++piece)
            if (first + piece * apart < vocabulary) run(first + piece * apart, piece);
    } else {
        for (int column = first; column < vocabulary; column += apart)
            run(column, 0);
    }
}

template <int count>
__device__ void add_logits(Softmax& mine, const float (&logits)[count], float scale) {
    float scaled[count], most = mine.largest;
    for (int i = 0; i < count; ++i) {
        scaled[i] = scale * logits[i];
        most = fmaxf(most, scaled[i]);
    }
    mine.sum *= expf(mine.largest - most);
    mine.largest = most;
    for (const float number : scaled)
        mine.sum += expf(number - most);
}

__device__ float loss_of(const Softmax& softmax, float target_logit) {
    return logf(softmax.sum) - (target_logit - softmax.largest);
}

template <int count>
__global__ void cross_entropy_kernel(int vocabulary, const float* logits, const TokenId* targets,
                                     float logit_scale, float* losses) {
    const std::int64_t row = blockIdx.x;
    const float* values = logits + row * vocabulary;
    Softmax mine;
    for_pieces<count, 0>(vocabulary, [&](int column, int) {
        float numbers[count];
        read_some(numbers, values + column);
        add_logits(mine, numbers, logit_scale);
    });
    const Softmax softmax = softmax_of_row(mine, shared_at<float>());
    if (threadIdx.x == 0) losses[row] = loss_of(softmax, logit_scale * values[targets[row]]);
}

/// `gradient` has `stride` numbers a row. It may be the logits' own memory where it is float32.
template <int count, int pieces, class Number>
__global__ void cross_entropy_gradient_kernel(int vocabulary, std::int64_t stride, const float* logits,
                                              const TokenId* targets, float logit_scale, float loss_scale,
                                              float* losses, Number* gradient) {
    const std::int64_t row = blockIdx.x;
    const int target = static_cast<int>(targets[row]);
    const float* values = logits + row * vocabulary;
    Softmax mine;
    float numbers[pieces > 0 ? pieces : 1][count];
    for_pieces<count, pieces>(vocabulary, [&](int column, int piece) {
        read_some(numbers[piece], values + column);
        add_logits(mine, numbers[piece], logit_scale);
    });
    const float target_logit = logit_scale * values[target];
    const Softmax softmax = softmax_of_row(mine, shared_at<float>());  // and all have read the target's
    if (threadIdx.x == 0) losses[row] = loss_of(softmax, target_logit);
    const float factor = loss_scale * logit_scale, inverse = 1 / softmax.sum;
    Number* slopes = gradient + row * stride;
    for_pieces<count, pieces>(vocabulary, [&](int column, int piece) {
        if constexpr (pieces == 0) read_some(numbers[piece], values + column);
        float slope[count];
        for (int i = 0; i < count; ++i)
            slope[i] = factor * (expf(logit_scale * numbers[piece][i] - softmax.largest) * inverse -
                                 (target - column == i ? 1.0f : 0.0f));
        write_some(slopes + column, slope);
    });
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
               threads_of(logits.columns), lanes * sizeof(float), static_cast<int>(logits.columns),
               logits.data, targets, logit_scale, losses);
    });
}

void cross_entropy_gradient(const Card& card, MutableMatrix logits, const TokenId* targets, float logit_scale,
                            float loss_scale, float* losses, Activations logits_gradient) {
    const unsigned threads = threads_of(logits.columns);
    const auto run = [&]<class Number>(Number* numbers) {
        for_neighbours(logits.columns, [&]<int count>() {
            const bool kept = logits.columns <= std::int64_t{count} * most_pieces * threads;
            launch(card,
                   kept ? cross_entropy_gradient_kernel<count, most_pieces, Number>
                        : cross_entropy_gradient_kernel<count, 0, Number>,
                   dim3(static_cast<unsigned>(logits.rows)), threads, lanes * sizeof(float),
                   static_cast<int>(logits.columns), logits_gradient.stride(), logits.data, targets,
                   logit_scale, loss_scale, losses, numbers);
        });
    };
    if (logits_gradient.element == Element::bfloat16)
        run(static_cast<Bfloat16*>(logits_gradient.data));
    else
        run(static_cast<float*>(logits_gradient.data));
}

}  // namespace isogrid::kernels::cuda
