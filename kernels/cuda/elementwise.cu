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

/// All numbers of a matrix as one row, four at a time; `x` and `out` begin at multiples of that.
__device__ void round_numbers(std::int64_t size, const float* x, Bfloat16* out) {
    const std::int64_t fours = size / 4;
    for (std::int64_t i = thread_of_grid(); i < fours; i += threads_of_grid()) {
        float numbers[4];
        read_some(numbers, x + 4 * i);
        write_some(out + 4 * i, numbers);
    }
    for (std::int64_t i = 4 * fours + thread_of_grid(); i < size; i += threads_of_grid())
        out[i] = nearest_bfloat16(x[i]);
}

/// Rows of `out` begin at whole words: behind an odd number of columns is one that is zero.
__device__ void round_matrix(ConstMatrix x, Bfloat16* out) {
    const std::int64_t stride = row_stride(x.columns, Element::bfloat16);
    if (stride == x.columns) return round_numbers(x.rows * x.columns, x.data, out);
    for (std::int64_t i = thread_of_grid(); i < x.rows * stride; i += threads_of_grid()) {
        const std::int64_t row = i / stride, column = i % stride;
        out[i] = column < x.columns ? nearest_bfloat16(x.data[row * x.columns + column]) : Bfloat16{0};
    }
}

__global__ void round_kernel(ConstMatrix x, Bfloat16* out) {
    round_matrix(x, out);
}

/// Blocks (., matrix) round one of them.
__global__ void pack_weights_kernel(const PackedWeights* matrices) {
    const PackedWeights matrix = matrices[blockIdx.y];
    round_matrix(matrix.weights, reinterpret_cast<Bfloat16*>(matrix.packed));
}

/// exp(-x) is infinite below -88, and 1 / (1 + infinity) is the right limit, 0. The quotient may be off by
/// two units in the last place, and is 0 where the divisor is above 2^126.
__device__ inline float logistic(float x) {
    return __fdividef(1, 1 + expf(-x));
}

/// Blocks side by side along a row's columns, `count` to a thread, take every gridDim.y-th row.
template <int count, class Number>
__global__ void swiglu_kernel(std::int64_t rows, std::int64_t hidden, const Number* gate_up, Number* out) {
    const std::int64_t column = count * thread_of_grid();
    if (column >= hidden) return;
    for (std::int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
        const Number* from = gate_up + row * 2 * hidden + column;
        float gate[count], up[count];
        read_some(gate, from);
        read_some(up, from + hidden);
        for (int i = 0; i < count; ++i)
            gate[i] = gate[i] * logistic(gate[i]) * up[i];
        write_some(out + row * hidden + column, gate);
    }
}

template <int count, class Number>
__global__ void swiglu_backward_kernel(std::int64_t rows, std::int64_t hidden, const Number* out_gradient,
                                       const Number* gate_up, Number* gate_up_gradient) {
    const std::int64_t column = count * thread_of_grid();
    if (column >= hidden) return;
    for (std::int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
        const std::int64_t at = row * 2 * hidden + column;
        float gate[count], up[count], gradient[count];
        read_some(gate, gate_up + at);
        read_some(up, gate_up + at + hidden);
        read_some(gradient, out_gradient + row * hidden + column);
        for (int i = 0; i < count; ++i) {
            const float sigmoid = logistic(gate[i]), slope = sigmoid * (1 + gate[i] * (1 - sigmoid));
            const float of_up = gradient[i] * gate[i] * sigmoid;
            gate[i] = gradient[i] * up[i] * slope;
            up[i] = of_up;
        }
        write_some(gate_up_gradient + at, gate);
        write_some(gate_up_gradient + at + hidden, up);
    }
}

struct AlongRows {
    dim3 grid;
    unsigned threads;
};
AlongRows along_rows(std::int64_t rows, std::int64_t columns, int count) {
    constexpr std::int64_t most = 132 * 16;  // as enough_blocks
    const std::int64_t pieces = (columns + count - 1) / count;
    const std::int64_t threads =
        std::min<std::int64_t>((pieces + lanes - 1) / lanes * lanes, std::int64_t{threads_a_block});
    const std::int64_t across = (pieces + threads - 1) / threads;
    return {dim3(static_cast<unsigned>(across),
                 static_cast<unsigned>(std::min(rows, std::max<std::int64_t>(most / across, 1)))),
            static_cast<unsigned>(threads)};
}

}  // namespace

void add(const Card& card, std::int64_t size, const float* a, const float* b, float* out) {
    launch(card, add_kernel<float>, enough_blocks(size), threads_a_block, 0, size, a, b, out);
}

void add(const Card& card, std::int64_t size, const double* a, const double* b, double* out) {
    launch(card, add_kernel<double>, enough_blocks(size), threads_a_block, 0, size, a, b, out);
}

void round(const Card& card, ConstMatrix x, Activations out) {
    launch(card, round_kernel, enough_blocks((out.rows * out.stride() + 3) / 4), threads_a_block, 0, x,
           static_cast<Bfloat16*>(out.data));
}

void pack_weights(const Card& card, std::span<const PackedWeights> matrices) {
    if (matrices.empty()) return;
    constexpr unsigned parts = 64;  // of 1,024 numbers at a time
    launch(card, pack_weights_kernel, dim3(parts, static_cast<unsigned>(matrices.size())), threads_a_block, 0,
           matrices.data());
}

void swiglu(const Card& card, ConstActivations gate_up, Activations out) {
    const auto run = [&]<class Number>(const Number* numbers) {
        for_neighbours(out.columns, [&]<int count>() {
            const AlongRows shape = along_rows(out.rows, out.columns, count);
            launch(card, swiglu_kernel<count, Number>, shape.grid, shape.threads, 0, out.rows, out.columns,
                   numbers, static_cast<Number*>(out.data));
        });
    };
    if (out.element == Element::bfloat16)
        run(static_cast<const Bfloat16*>(gate_up.data));
    else
        run(static_cast<const float*>(gate_up.data));
}

void swiglu_backward(const Card& card, ConstActivations out_gradient, ConstActivations gate_up,
                     Activations gate_up_gradient) {
    const auto run = [&]<class Number>(const Number* numbers) {
        for_neighbours(out_gradient.columns, [&]<int count>() {
            const AlongRows shape = along_rows(out_gradient.rows, out_gradient.columns, count);
            launch(card, swiglu_backward_kernel<count, Number>, shape.grid, shape.threads, 0,
                   out_gradient.rows, out_gradient.columns, static_cast<const Number*>(out_gradient.data),
                   numbers, static_cast<Number*>(gate_up_gradient.data));
        });
    };
    if (gate_up.element == Element::bfloat16)
        run(static_cast<const Bfloat16*>(gate_up.data));
    else
        run(static_cast<const float*>(gate_up.data));
}

}  // namespace isogrid::kernels::cuda
