// Ops that take a row at a time: a warp each.
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/kernels.hpp"

namespace isogrid::kernels::cuda {
namespace {

constexpr int warps_a_block = threads_a_block / lanes;
constexpr std::int64_t most_blocks = 264;  // of rms_norm_backward: two a multiprocessor

template <int count>
__global__ void embedding_kernel(std::int64_t rows, std::int64_t width, const TokenId* ids,
                                 const float* table, float scale, float* out) {
    const int lane = threadIdx.x % lanes;
    const std::int64_t row = thread_of_grid() / lanes;
    if (row >= rows) return;  // whole warps
    const float* from = table + ids[row] * width;
    for (std::int64_t column = count * lane; column < width; column += count * lanes) {
        float numbers[count];
        read_some(numbers, from + column);
        for (float& number : numbers)
            number *= scale;
        write_some(out + row * width + column, numbers);
    }
}

template <int count, class Number>
__global__ void rms_norm_kernel(std::int64_t rows, std::int64_t width, const float* x, const float* gain,
                                float epsilon, Number* out, float* inverse_rms) {
    const int lane = threadIdx.x % lanes;
    const std::int64_t row = thread_of_grid() / lanes;
    if (row >= rows) return;  // whole warps
    const float* values = x + row * width;
    float squares = 0;
    for (std::int64_t column = count * lane; column < width; column += count * lanes) {
        float numbers[count];
        read_some(numbers, values + column);
        for (const float number : numbers)
            squares += number * number;
    }
    const float inverse = 1 / sqrtf(sum_over_lanes(squares) / static_cast<float>(width) + epsilon);
    for (std::int64_t column = count * lane; column < width; column += count * lanes) {
        float numbers[count], gains[count];
        read_some(numbers, values + column);
        read_some(gains, gain + column);
        for (int i = 0; i < count; ++i)
            numbers[i] = numbers[i] * inverse * gains[i];
        write_some(out + row * width + column, numbers);
    }
    if (lane == 0) inverse_rms[row] = inverse;
}

/// Each block takes `rows_a_block` rows, and each of its warps sums their part of the gain's gradient in
/// shared memory, (warps, width); the block's own sum goes to row blockIdx.x of `part_sums`. What the
/// gradient of x then is goes also to `rounded`, of `stride` numbers a row, where that is not null.
template <int count, bool adds>
__global__ void rms_norm_backward_kernel(std::int64_t rows, std::int64_t width, std::int64_t rows_a_block,
                                         const float* out_gradient, const float* x, const float* gain,
                                         const float* inverse_rms, float* x_gradient, Bfloat16* rounded,
                                         std::int64_t stride, float* part_sums) {
    const int lane = threadIdx.x % lanes, warp = threadIdx.x / lanes, warps = blockDim.x / lanes;
    float* of_block = shared_at<float>();
    float* of_warp = of_block + warp * width;
    // Each lane clears what it adds to: no other lane's memory comes into it.
    for (std::int64_t column = count * lane; column < width; column += count * lanes) {
        const float nothing[count] = {};
        write_some(of_warp + column, nothing);
    }
    const std::int64_t first = blockIdx.x * rows_a_block;
    const std::int64_t end = first + rows_a_block < rows ? first + rows_a_block : rows;
    for (std::int64_t row = first + warp; row < end; row += warps) {
        const float* values = x + row * width;
        const float* gradient = out_gradient + row * width;
        const float inverse = inverse_rms[row];
        float projection = 0;
        for (std::int64_t column = count * lane; column < width; column += count * lanes) {
            float numbers[count], slopes[count], gains[count];
            read_some(numbers, values + column);
            read_some(slopes, gradient + column);
            read_some(gains, gain + column);
            for (int i = 0; i < count; ++i)
                projection += slopes[i] * gains[i] * numbers[i];
        }
        const float pull = sum_over_lanes(projection) * inverse * inverse / static_cast<float>(width);
        for (std::int64_t column = count * lane; column < width; column += count * lanes) {
            float numbers[count], slopes[count], gains[count], of_gain[count], result[count] = {};
            read_some(numbers, values + column);
            read_some(slopes, gradient + column);
            read_some(gains, gain + column);
            read_some(of_gain, of_warp + column);
            if (adds) read_some(result, x_gradient + row * width + column);
            for (int i = 0; i < count; ++i) {
                result[i] += inverse * (gains[i] * slopes[i] - numbers[i] * pull);
                of_gain[i] += slopes[i] * numbers[i] * inverse;
            }
            write_some(of_warp + column, of_gain);
            write_some(x_gradient + row * width + column, result);
            if (rounded != nullptr) write_some(rounded + row * stride + column, result);
        }
        if (rounded != nullptr && lane == 0 && stride > width)  // what fills up an odd row
            write(rounded, row * stride + width, 0.0f);
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
#pragma unroll 16  // so many are on their way from memory at once
    for (std::int64_t part = 0; part < parts; ++part)
        total += part_sums[part * width + column];
    sums[column] = total;
}

dim3 a_warp_each(std::int64_t rows) {
    return dim3(static_cast<unsigned>((rows + warps_a_block - 1) / warps_a_block));
}

}  // namespace

void embedding(const Card& card, const TokenId* ids, ConstMatrix table, float scale, MutableMatrix out) {
    for_neighbours(out.columns, [&]<int count>() {
        launch(card, embedding_kernel<count>, a_warp_each(out.rows), threads_a_block, 0, out.rows,
               out.columns, ids, table.data, scale, out.data);
    });
}

void rms_norm(const Card& card, ConstMatrix x, const float* gain, float epsilon, Activations out,
              float* inverse_rms) {
    const auto run = [&]<class Number>(Number* numbers) {
        for_neighbours(x.columns, [&]<int count>() {
            launch(card, rms_norm_kernel<count, Number>, a_warp_each(x.rows), threads_a_block, 0, x.rows,
                   x.columns, x.data, gain, epsilon, numbers, inverse_rms);
        });
    };
    if (out.element == Element::bfloat16)
        run(static_cast<Bfloat16*>(out.data));
    else
        run(static_cast<float*>(out.data));
}

std::int64_t rms_norm_backward_bytes(std::int64_t width) {
    return most_blocks * width * std::int64_t{sizeof(float)};
}

void rms_norm_backward(const Card& card, ConstMatrix out_gradient, ConstMatrix x, const float* gain,
                       const float* inverse_rms, MutableMatrix x_gradient, Write x_mode, float* gain_gradient,
                       Write gain_mode, Activations rounded) {
    // As many warps as have room for their sums in 48 KB.
    const std::int64_t width = x.columns;
    const std::int64_t room = std::int64_t{48 * 1024} / (width * std::int64_t{sizeof(float)});
    const std::int64_t warps = std::clamp<std::int64_t>(room, 1, warps_a_block);
    const std::int64_t wanted = (x.rows + most_blocks - 1) / most_blocks;
    const std::int64_t rows_a_block = (wanted + warps - 1) / warps * warps;
    const std::int64_t blocks = (x.rows + rows_a_block - 1) / rows_a_block;
    float* part_sums = card.scratch->take<float>(blocks * width);
    for_neighbours(width, [&]<int count>() {
        launch(card,
               x_mode == Write::add ? rms_norm_backward_kernel<count, true>
                                    : rms_norm_backward_kernel<count, false>,
               dim3(static_cast<unsigned>(blocks)), static_cast<unsigned>(warps * lanes),
               static_cast<std::size_t>(warps * width) * sizeof(float), x.rows, width, rows_a_block,
               out_gradient.data, x.data, gain, inverse_rms, x_gradient.data,
               static_cast<Bfloat16*>(rounded.data), rounded.stride(), part_sums);
    });
    launch(card, sum_columns_kernel, dim3(static_cast<unsigned>((width + lanes - 1) / lanes)), lanes, 0,
           blocks, width, part_sums, gain_gradient, gain_mode == Write::add);
}

}  // namespace isogrid::kernels::cuda
