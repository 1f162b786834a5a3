// Attention: the parts that are the same for both elements.
#include "kernels/cuda/attention_tiles.hpp"

namespace isogrid::kernels::cuda {
namespace {

constexpr int row_threads = 8, rows_of_block = threads_a_block / row_threads;  // of means

/// means[row of a head] = out_gradient . out, by eight neighbours each, `count` numbers at a time.
template <int count, class Number>
__global__ void means_kernel(AttentionShape shape, const Number* out_gradient, const Number* out,
                             float* means) {
    const int row =
                  static_cast<int>(blockIdx.x) * rows_of_block + static_cast<int>(threadIdx.x) / row_threads,
              part = static_cast<int>(threadIdx.x) % row_threads;
    const auto gradients = head_of_block(out_gradient, shape, shape.width(), 0),
               mixed = head_of_block(out, shape, shape.width(), 0);
    float total = 0;
    if (row < gradients.rows)
        for (int column = count * part; column < gradients.width; column += count * row_threads) {
            float of_gradient[count], of_mixed[count];
            read_some(of_gradient, gradients.row(row) + column);
            read_some(of_mixed, mixed.row(row) + column);
            for (int i = 0; i < count; ++i)
                total += of_gradient[i] * of_mixed[i];
        }
    for (int distance = 1; distance < row_threads; distance *= 2)
        total += __shfl_xor_sync(all_lanes, total, distance);
    if (part == 0 && row < gradients.rows) means[first_row_of_block(shape) + row] = total;
}

template <class Number>
void find_means(const Card& card, const AttentionShape& shape, const Number* out_gradient, const Number* out,
                float* means) {
    for_neighbours(shape.head_width, [&]<int count>() {
        launch(card, means_kernel<count, Number>, tiles_of(shape, rows_of_block), threads_a_block, 0, shape,
               out_gradient, out, means);
    });
}

}  // namespace

std::int64_t attention_workspace(AttentionShape shape) {
    return shape.rows() * shape.heads;
}

void attention(const Card& card, ConstActivations qkv, RotaryTables rotary, AttentionShape shape,
               Activations out, float* log_sum) {
    const auto run = [&]<class Number>(const Number* numbers) {
        attention_of(card, numbers, rotary, shape, static_cast<Number*>(out.data), log_sum);
    };
    if (qkv.element == Element::bfloat16)
        run(static_cast<const Bfloat16*>(qkv.data));
    else
        run(static_cast<const float*>(qkv.data));
}

void attention_backward(const Card& card, ConstActivations out_gradient, ConstActivations qkv,
                        RotaryTables rotary, ConstActivations out, const float* log_sum, AttentionShape shape,
                        Activations qkv_gradient, float* workspace) {
    const auto run = [&]<class Number>(const Number* gradient) {
        find_means(card, shape, gradient, static_cast<const Number*>(out.data), workspace);
        attention_gradient_of(card, gradient, static_cast<const Number*>(qkv.data), rotary, log_sum,
                              workspace, shape, static_cast<Number*>(qkv_gradient.data));
    };
    if (qkv.element == Element::bfloat16)
        run(static_cast<const Bfloat16*>(out_gradient.data));
    else
        run(static_cast<const float*>(out_gradient.data));
}

}  // namespace isogrid::kernels::cuda
