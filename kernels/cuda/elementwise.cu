// Ops on each number by itself.
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/kernels.hpp"

namespace isogrid::kernels::cuda {
namespace {

template <class Number>
__global__ void add_kernel(std::int64_t size, const Number* a, const Number* b, Number* out) {
    for (std::int64_t i = thread_of_grid(); i < size; i += threads_of_grid())
        out[i] = a[i] + b[i];
}

/// x has `columns`, out `stride` of them a row, the last of which may be no number of x.
__global__ void round_kernel(std::int64_t rows, std::int64_t columns, std::int64_t stride, const float* x,
                             Bfloat16* out) {
    for (std::int64_t i = thread_of_grid(); i < rows * stride; i += threads_of_grid()) {
        const std::int64_t row = i / stride, column = i % stride;
        out[i] = column < columns ? nearest_bfloat16(x[row * columns + column]) : Bfloat16{0};
    }
}

/// exp(-x) is infinite below -88, and 1 / (1 + infinity) is the right limit, 0.
__device__ inline float logistic(float x) {
    return 1 / (1 + expf(-x));
}

template <class Number>
__global__ void swiglu_kernel(std::int64_t rows, std::int64_t hidden, const Number* gate_up, Number* out) {
    for (std::int64_t i = thread_of_grid(); i < rows * hidden; i += threads_of_grid()) {
        const std::int64_t at = i / hidden * 2 * hidden + i % hidden;
        const float gate = read(gate_up, at), up = read(gate_up, at + hidden);
        write(out, i, gate * logistic(gate) * up);
    }
}

template <class Number>
__global__ void swiglu_backward_kernel(std::int64_t rows, std::int64_t hidden, const Number* out_gradient,
                                       const Number* gate_up, Number* gate_up_gradient) {
    for (std::int64_t i = thread_of_grid(); i < rows * hidden; i += threads_of_grid()) {
        const std::int64_t at = i / hidden * 2 * hidden + i % hidden;
        const float gate = read(gate_up, at), up = read(gate_up, at + hidden);
        const float gradient = read(out_gradient, i), sigmoid = logistic(gate);
        const float slope = sigmoid * (1 + gate * (1 - sigmoid));
        write(gate_up_gradient, at, gradient * up * slope);
        write(gate_up_gradient, at + hidden, gradient * gate * sigmoid);
    }
}

}  // namespace

void add(const Card& card, std::int64_t size, const float* a, const float* b, float* out) {
    launch(card, add_kernel<float>, enough_blocks(size), threads_a_block, 0, size, a, b, out);
}

void add(const Card& card, std::int64_t size, const double* a, const double* b, double* out) {
    launch(card, add_kernel<double>, enough_blocks(size), threads_a_block, 0, size, a, b, out);
}

void round(const Card& card, ConstMatrix x, Activations out) {
    launch(card, round_kernel, enough_blocks(out.rows * out.stride()), threads_a_block, 0, x.rows, x.columns,
           out.stride(), x.data, static_cast<Bfloat16*>(out.data));
}

void swiglu(const Card& card, ConstActivations gate_up, Activations out) {
    const auto run = [&]<class Number>(const Number* numbers) {
        launch(card, swiglu_kernel<Number>, enough_blocks(out.size()), threads_a_block, 0, out.rows,
               out.columns, numbers, static_cast<Number*>(out.data));
    };
    if (out.element == Element::bfloat16)
        run(static_cast<const Bfloat16*>(gate_up.data));
    else
        run(static_cast<const float*>(gate_up.data));
}

void swiglu_backward(const Card& card, ConstActivations out_gradient, ConstActivations gate_up,
                     Activations gate_up_gradient) {
    const auto run = [&]<class Number>(const Number* numbers) {
        launch(card, swiglu_backward_kernel<Number>, enough_blocks(out_gradient.size()), threads_a_block, 0,
               out_gradient.rows, out_gradient.columns, static_cast<const Number*>(out_gradient.data),
               numbers, static_cast<Number*>(gate_up_gradient.data));
    };
    if (gate_up.element == Element::bfloat16)
        run(static_cast<const Bfloat16*>(gate_up.data));
    else
        run(static_cast<const float*>(gate_up.data));
}

}  // namespace isogrid::kernels::cuda
