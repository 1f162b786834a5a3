// Attention: the parts that are the same for both elements.
#include "kernels/cuda/attention_tiles.hpp"
#include "kernels/cuda/sizes.hpp"

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

std::int64_t packed_floats(const AttentionShape& shape, Element element) {
    return element == Element::bfloat16 ? packed_size(shape).bytes / std::int64_t{sizeof(float)} : 0;
}

}  // namespace

/// First what is packed, then the means.
std::int64_t attention_workspace(AttentionShape shape, Element element) {
    return packed_floats(shape, element) + shape.rows() * shape.heads;
}

void attention(const Card& card, ConstActivations qkv, RotaryTables rotary, AttentionShape shape,
               Activations out, float* log_sum, float* workspace) {
    if (qkv.element == Element::bfloat16)
        attention_of(card, static_cast<const Bfloat16*>(qkv.data), rotary, shape,
                     static_cast<Bfloat16*>(out.data), log_sum, workspace);
    else
        attention_of(card, static_cast<const float*>(qkv.data), rotary, shape, static_cast<float*>(out.data),
                     log_sum);
}

void attention_backward(const Card& card, ConstActivations out_gradient, ConstActivations qkv,
                        RotaryTables rotary, ConstActivations out, const float* log_sum, AttentionShape shape,
                        Activations qkv_gradient, float* workspace) {
    float* means = workspace + packed_floats(shape, qkv.element);
    if (qkv.element == Element::bfloat16) {
        const auto* gradient = static_cast<const Bfloat16*>(out_gradient.data);
        find_means(card, shape, gradient, static_cast<const Bfloat16*>(out.data), means);
        attention_gradient_of(card, gradient, static_cast<const Bfloat16*>(qkv.data), rotary, log_sum, means,
                              shape, static_cast<Bfloat16*>(qkv_gradient.data), workspace);
    } else {
        const auto* gradient = static_cast<const float*>(out_gradient.data);
        find_means(card, shape, gradient, static_cast<const float*>(out.data), means);
        attention_gradient_of(card, gradient, static_cast<const float*>(qkv.data), rotary, log_sum, means,
                              shape, static_cast<float*>(qkv_gradient.data));
    }
}

}  // namespace isogrid::kernels::cuda
