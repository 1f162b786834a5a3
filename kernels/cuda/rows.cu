// Ops that take a row at a time: a warp each.
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/kernels.hpp"

namespace isogrid::kernels::cuda {
namespace {

constexpr int warps_a_block = threads_a_block / lanes;

__global__ void embedding_kernel(std::int64_t rows, std::int64_t width, const TokenId* ids,
                                 const float* table, float scale, float* out) {
    for (std::int64_t i = thread_of_grid(); i < rows * width; i += threads_of_grid())
        out[i] = scale * table[ids[i / width] * width + i % width];
}

template <class Number>
__global__ void rms_norm_kernel(std::int64_t rows, std::int64_t width, const float* x, const float* gain,
                                float epsilon, Number* out, float* inverse_rms) {
    const int lane = threadIdx.x % lanes;
    const std::int64_t row = thread_of_grid() / lanes;
    if (row >= rows) return;  // whole warps
    float squares = 0;
    for (std::int64_t column = lane; column < width; column += lanes)
        squares += x[row * width + column] * x[row * width + column];
    const float inverse = 1 / sqrtf(sum_over_lanes(squares) / static_cast<float>(width) + epsilon);
    for (std::int64_t column = lane; column < width; column += lanes)
        write(out, row * width + column, x[row * width + column] * inverse * gain[column]);
    if (lane == 0) inverse_rms[row] = inverse;
}

/// Each block takes `rows_a_block` rows, and each of its warps sums their part of the gain's gradient in
/// shared memory, (warps, width); the block's own sum goes to row blockIdx.x of `part_sums`.
template <bool adds>
__global__ void rms_norm_backward_kernel(std::int64_t rows, std::int64_t width, std::int64_t rows_a_block,
                                         const float* out_gradient, const float* x, const float* gain,
                                         const float* inverse_rms, float* x_gradient, float* part_sums) {
    const int lane = threadIdx.x % lanes, warp = threadIdx.x / lanes, warps = blockDim.x / lanes;
    float* of_block = shared_at<float>();
    float* of_warp = of_block + warp * width;
    for (std::int64_t column = lane; column < width; column += lanes)
        of_warp[column] = 0;
    const std::int64_t first = blockIdx.x * rows_a_block;
    const std::int64_t end = first + rows_a_block < rows ? first + rows_a_block : rows;
    for (std::int64_t row = first + warp; row < end; row += warps) {
        const float* values = x + row * width;
        const float* gradient = out_gradient + row * width;
        const float inverse = inverse_rms[row];
        float projection = 0;
        for (std::int64_t column = lane; column < width; column += lanes)
            projection += gradient[column] * gain[column] * values[column];
        const float pull = sum_over_lanes(projection) * inverse * inverse / static_cast<float>(width);
        for (std::int64_t column = lane; column < width; column += lanes) {
            const float slope = inverse * (gain[column] * gradient[column] - values[column] * pull);
            float& place = x_gradient[row * width + column];
            place = adds ? place + slope : slope;
            of_warp[column] += gradient[column] * values[column] * inverse;
        }
    }
    __syncthreads();
    for (std::int64_t column = threadIdx.x; column < width; column += blockDim.x) {
        float total = 0;
        for (int part = 0; part < warps; ++part)
            total += of_block[part * width + column];
        part_sums[blockIdx.x * width + column] = total;
    }
}

/// sums[column] = (or +=) what the parts have in it, in rising order.
__global__ void sum_columns_kernel(std::int64_t parts, std::int64_t width, const float* part_sums,
                                   float* sums, bool adds) {
    const std::int64_t column = thread_of_grid();
    if (column >= width) return;
    float total = adds ? sums[column] : 0;
    for (std::int64_t part = 0; part < parts; ++part)
        total += part_sums[part * width + column];
    sums[column] = total;
}

dim3 a_warp_each(std::int64_t rows) {
    return dim3(static_cast<unsigned>((rows + warps_a_block - 1) / warps_a_block));
}

}  // namespace

void embedding(const Card& card, const TokenId* ids, ConstMatrix table, float scale, MutableMatrix out) {
    launch(card, embedding_kernel, enough_blocks(out.size()), threads_a_block, 0, out.rows, out.columns, ids,
           table.data, scale, out.data);
}

void rms_norm(const Card& card, ConstMatrix x, const float* gain, float epsilon, Activations out,
              float* inverse_rms) {
    const auto run = [&]<class Number>(Number* numbers) {
        launch(card, rms_norm_kernel<Number>, a_warp_each(x.rows), threads_a_block, 0, x.rows, x.columns,
               x.data, gain, epsilon, numbers, inverse_rms);
    };
    if (out.element == Element::bfloat16)
        run(static_cast<Bfloat16*>(out.data));
    else
        run(static_cast<float*>(out.data));
}

void rms_norm_backward(const Card& card, ConstMatrix out_gradient, ConstMatrix x, const float* gain,
                       const float* inverse_rms, MutableMatrix x_gradient, Write x_mode, float* gain_gradient,
                       Write gain_mode) {
    // As many warps as have room for their sums in 48 KB.
    const std::int64_t width = x.columns;
    const std::int64_t room = std::int64_t{48 * 1024} / (width * std::int64_t{sizeof(float)});
    const std::int64_t warps = std::clamp<std::int64_t>(room, 1, warps_a_block);
    constexpr std::int64_t most_blocks = 264;  // two a multiprocessor
    const std::int64_t wanted = (x.rows + most_blocks - 1) / most_blocks;
    const std::int64_t rows_a_block = (wanted + warps - 1) / warps * warps;
    const std::int64_t blocks = (x.rows + rows_a_block - 1) / rows_a_block;
    float* part_sums = card.scratch->take<float>(blocks * width);
    launch(card, x_mode == Write::add ? rms_norm_backward_kernel<true> : rms_norm_backward_kernel<false>,
           dim3(static_cast<unsigned>(blocks)), static_cast<unsigned>(warps * lanes),
           static_cast<std::size_t>(warps * width) * sizeof(float), x.rows, width, rows_a_block,
           out_gradient.data, x.data, gain, inverse_rms, x_gradient.data, part_sums);
    launch(card, sum_columns_kernel, dim3(static_cast<unsigned>((width + lanes - 1) / lanes)), lanes, 0,
           blocks, width, part_sums, gain_gradient, gain_mode == Write::add);
}

}  // namespace isogrid::kernels::cuda
