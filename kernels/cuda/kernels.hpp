// The ops as launches of kernels on a card. What each computes is said in kernels/backend.hpp; here is only
// what differs. All return at once; the work is done in the order of the card's stream.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/backend.hpp"
#include "kernels/cuda/runtime.hpp"

namespace isogrid::kernels::cuda {

// rows.cu
void embedding(const Card& card, const TokenId* ids, ConstMatrix table, float scale, MutableMatrix out);
void rms_norm(const Card& card, ConstMatrix x, const float* gain, float epsilon, Activations out,
              float* inverse_rms);
/// The gain's gradient is summed in parts of rows, whose sums are added in rising order.
void rms_norm_backward(const Card& card, ConstMatrix out_gradient, ConstMatrix x, const float* gain,
                       const float* inverse_rms, MutableMatrix x_gradient, Write x_mode, float* gain_gradient,
                       Write gain_mode, Activations rounded);
std::int64_t rms_norm_backward_bytes(std::int64_t width);  ///< of scratch, at most

// embedding_backward.cu
/// Rows are sorted by token, in rising order, and cut into windows; a token's rows are summed within each
/// window, and these sums added in rising order. No atomics.
void embedding_backward(const Card& card, std::span<const TokenId> ids, ConstMatrix out_gradient, float scale,
                        MutableMatrix table_gradient, Write mode);
std::int64_t embedding_backward_bytes(std::int64_t rows, std::int64_t width,
                                      std::int64_t vocabulary);  ///< of scratch

// cross_entropy.cu
void cross_entropy(const Card& card, ConstMatrix logits, const TokenId* targets, float logit_scale,
                   float* losses);
void cross_entropy_gradient(const Card& card, MutableMatrix logits, const TokenId* targets, float logit_scale,
                            float loss_scale, float* losses, Activations logits_gradient);

// elementwise.cu
void add(const Card& card, std::int64_t size, const float* a, const float* b, float* out);
void add(const Card& card, std::int64_t size, const double* a, const double* b, double* out);
/// Rows of `out` begin at whole words; the odd element is zero.
void round(const Card& card, ConstMatrix x, Activations out);
/// To bfloat16, in one launch; `matrices` are in the card's memory.
void pack_weights(const Card& card, std::span<const PackedWeights> matrices);
void swiglu(const Card& card, ConstActivations gate_up, Activations out);
void swiglu_backward(const Card& card, ConstActivations out_gradient, ConstActivations gate_up,
                     Activations gate_up_gradient);

// sums.cu
void add_sum(const Card& card, std::span<const float> values, double* total);
/// Three launches, however many runs there are. Kinds are below threads_a_block.
void add_sums_of_squares(const Card& card, std::span<const float> values, std::span<const Run> runs,
                         double* totals);

// optimizer.cu
void close_step(const Card& card, const double* loss_sum, const double* squares, const AdamWStep* step,
                StepRule rule, Standing* standing);
/// One launch, which also rounds the new weights into their `copies` of bfloat16.
void adamw(const Card& card, std::span<const Run> runs, const AdamWStep* steps, const Standing* standing,
           std::span<const float> gradient, float* weights, float* first_moment, float* second_moment,
           std::span<const PackedWeights> copies);

// attention.cu
void attention(const Card& card, ConstActivations qkv, RotaryTables rotary, AttentionShape shape,
               Activations out, float* log_sum, float* workspace);
void attention_backward(const Card& card, ConstActivations out_gradient, ConstActivations qkv,
                        RotaryTables rotary, ConstActivations out, const float* log_sum, AttentionShape shape,
                        Activations qkv_gradient, float* workspace);
std::int64_t attention_workspace(AttentionShape shape, Element element);

}  // namespace isogrid::kernels::cuda
