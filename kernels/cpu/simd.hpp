// The vector kernels as a table of functions: one table for each instruction set, chosen at run time.
#pragma once

#include "kernels/backend.hpp"

namespace isogrid::kernels::cpu {

/// The ops of Backend that are not matrix products, on plain pointers: see there what each computes.
struct Simd {
    void (*embedding)(const TokenId* ids, std::int64_t rows, std::int64_t width, const float* table,
                      float scale, float* out);
    void (*embedding_backward)(const TokenId* ids, std::int64_t rows, std::int64_t width,
                               const float* out_gradient, float scale, float* table_gradient);

    void (*rms_norm)(std::int64_t rows, std::int64_t width, const float* x, const float* gain, float epsilon,
                     float* out, float* inverse_rms);
    void (*rms_norm_backward)(std::int64_t rows, std::int64_t width, const float* out_gradient,
                              const float* x, const float* gain, const float* inverse_rms, float* x_gradient,
                              Write x_mode, float* gain_gradient);  ///< adds to gain_gradient

    void (*rotary)(std::int64_t rows, const RotaryShape& shape, const float* x, const float* cosines,
                   const float* sines, bool inverse, float* out);

    std::int64_t (*attention_workspace)(const AttentionShape& shape);
    void (*attention)(const AttentionShape& shape, const float* q, const float* k, const float* v, float* out,
                      float* log_sum, float* workspace);
    void (*attention_backward)(const AttentionShape& shape, const float* out_gradient, const float* q,
                               const float* k, const float* v, const float* out, const float* log_sum,
                               float* q_gradient, float* k_gradient, float* v_gradient, float* workspace);

    void (*swiglu)(std::int64_t size, const float* gate, const float* up, float* out);
    void (*swiglu_backward)(std::int64_t size, const float* out_gradient, const float* gate, const float* up,
                            float* gate_gradient, float* up_gradient);
    void (*add)(std::int64_t size, const float* a, const float* b, float* out);

    void (*cross_entropy)(std::int64_t rows, std::int64_t columns, const float* logits,
                          const TokenId* targets, float* losses, float* log_sum);
    void (*cross_entropy_backward)(std::int64_t rows, std::int64_t columns, const float* logits,
                                   const TokenId* targets, const float* log_sum, float scale,
                                   float* logits_gradient);

    double (*sum)(std::int64_t size, const float* values);
    double (*sum_of_squares)(std::int64_t size, const float* values);
    /// `first_correction` and `second_correction` are 1 / (1 - beta^step).
    void (*adamw)(std::int64_t size, const AdamWStep& step, float first_correction, float second_correction,
                  const float* gradient, float* weights, float* first_moment, float* second_moment);
};

// Each fills its part of the table; defined in simd/, once for each instruction set.
namespace avx2 {
void provide_elementwise(Simd& simd);
void provide_rows(Simd& simd);
void provide_cross_entropy(Simd& simd);
void provide_attention(Simd& simd);
}  // namespace avx2

namespace avx512 {
void provide_elementwise(Simd& simd);
void provide_rows(Simd& simd);
void provide_cross_entropy(Simd& simd);
void provide_attention(Simd& simd);
}  // namespace avx512

}  // namespace isogrid::kernels::cpu
