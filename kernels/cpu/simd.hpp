// The vector kernels as a table of functions: one table for each instruction set, chosen at run time.
#pragma once

#include "kernels/backend.hpp"

namespace isogrid::kernels::cpu {

/// The ops of Backend on plain pointers: see there what each computes. Numbers behind void pointers are of
/// the `element` that stands beside them.
struct Simd {
    void (*embedding)(const TokenId* ids, std::int64_t rows, std::int64_t width, const float* table,
                      float scale, float* out);
    void (*embedding_backward)(const TokenId* ids, std::int64_t rows, std::int64_t width,
                               const float* out_gradient, float scale, float* table_gradient);

    void (*rms_norm)(std::int64_t rows, std::int64_t width, const float* x, const float* gain, float epsilon,
                     Element element, void* out, float* inverse_rms);
    void (*rms_norm_backward)(std::int64_t rows, std::int64_t width, const float* out_gradient,
                              const float* x, const float* gain, const float* inverse_rms, float* x_gradient,
                              Write x_mode, float* gain_gradient);  ///< adds to gain_gradient

    void (*pack_weights)(std::int64_t outputs, std::int64_t inputs, const float* weights, Element element,
                         float* packed);
    std::int64_t (*packed_floats)(std::int64_t outputs, std::int64_t inputs, Element element);
    void (*linear)(std::int64_t rows, std::int64_t outputs, std::int64_t inputs, Element element,
                   const void* x, const float* packed, const float* addend, Element out_element, void* out);
    void (*linear_backward_input)(std::int64_t rows, std::int64_t outputs, std::int64_t inputs,
                                  Element element, const void* out_gradient, const float* packed,
                                  Element x_element, void* x_gradient, Write mode);
    void (*linear_backward_weights)(std::int64_t rows, std::int64_t outputs, std::int64_t inputs,
                                    Element element, const void* out_gradient, const void* x,
                                    float* weights_gradient, Write mode, float* workspace);
    std::int64_t (*linear_workspace)(std::int64_t rows, std::int64_t outputs, std::int64_t inputs,
                                     Element element);

    std::int64_t (*attention_workspace)(const AttentionShape& shape, Element element);
    void (*attention)(const AttentionShape& shape, const RotaryTables& rotary, Element element,
                      const void* qkv, void* out, float* log_sum, float* workspace);
    void (*attention_backward)(const AttentionShape& shape, const RotaryTables& rotary, Element element,
                               const void* out_gradient, const void* qkv, const void* out,
                               const float* log_sum, void* qkv_gradient, float* workspace);

    void (*swiglu)(std::int64_t rows, std::int64_t hidden, Element element, const void* gate_up, void* out);
    void (*swiglu_backward)(std::int64_t rows, std::int64_t hidden, Element element, const void* out_gradient,
                            const void* gate_up, void* gate_up_gradient);
    void (*add)(std::int64_t size, const float* a, const float* b, float* out);
    void (*round)(std::int64_t rows, std::int64_t columns, const float* x, Bfloat16* out);

    void (*cross_entropy)(std::int64_t rows, std::int64_t columns, const float* logits,
                          const TokenId* targets, float logit_scale, float* losses);
    void (*cross_entropy_gradient)(std::int64_t rows, std::int64_t columns, float* logits,
                                   const TokenId* targets, float logit_scale, float loss_scale, float* losses,
                                   Element element, void* logits_gradient);

    double (*sum)(std::int64_t size, const float* values);
    double (*sum_of_squares)(std::int64_t size, const float* values);
    /// `first_correction` and `second_correction` are 1 / (1 - beta^step).
    void (*adamw)(std::int64_t size, const AdamWStep& step, float gradient_scale, float first_correction,
                  float second_correction, const float* gradient, float* weights, float* first_moment,
                  float* second_moment);
};

// The table of each instruction set: simd/table.cpp, compiled once for each, and called only where it is
// supported.
namespace avx2 {
Simd kernels();
}
namespace avx512 {
Simd kernels();
}
namespace avx512_bf16 {
Simd kernels();
}
namespace amx {
Simd kernels();
}

}  // namespace isogrid::kernels::cpu
