// Attention: the parts that are the same for both elements.
#include "kernels/cuda/attention_tiles.hpp"

namespace isogrid::kernels::cuda {
namespace {

/// means[row of a head] = out_gradient . out, a warp each; rows of heads in the order of the log sums.
template <class Number>
__global__ void means_kernel(AttentionShape shape, const Number* out_gradient, const Number* out,
                             float* means) {
    const std::int64_t index = thread_of_grid() / lanes;
    if (index >= shape.rows() * shape.heads) return;  // whole warps
    const std::int64_t token = index % shape.context, head = index / shape.context % shape.heads,
                       sequence = index / (shape.context * shape.heads);
    const std::int64_t first = (sequence * shape.context + token) * shape.width() + head * shape.head_width;
    float total = 0;
    for (std::int64_t column = threadIdx.x % lanes; column < shape.head_width; column += lanes)
        total += read(out_gradient, first + column) * read(out, first + column);
    total = sum_over_lanes(total);
    if (threadIdx.x % lanes == 0) means[index] = total;
}

template <class Number>
void find_means(const Card& card, const AttentionShape& shape, const Number* out_gradient, const Number* out,
                float* means) {
    constexpr std::int64_t warps = threads_a_block / lanes;
    const std::int64_t blocks = (shape.rows() * shape.heads + warps - 1) / warps;
    launch(card, means_kernel<Number>, dim3(static_cast<unsigned>(blocks)), threads_a_block, 0, shape,
           out_gradient, out, means);
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
