// Causal attention, one head of one sequence at a time: on vectors, or in bfloat16 on tiles where the
// instruction set has them.
#include "kernels/cpu/simd.hpp"
#include "kernels/cpu/simd/attention_vectors.hpp"
#ifdef ISOGRID_TILES
#include "kernels/cpu/simd/attention_tiles.hpp"
#endif

namespace isogrid::kernels::cpu::ISOGRID_ISA {

namespace {

/// The two passes over one head in float32.
struct Float32Pass {
    using Number = float;
    static int64_t workspace_floats(const HeadSize& size) { return vector_attention_floats(size); }
    void attend(const auto&... arguments) { ISOGRID_ISA::attend<AsFloat32>(arguments...); }
    void attend_backward(const auto&... arguments) { ISOGRID_ISA::attend_backward<AsFloat32>(arguments...); }
};

#ifdef ISOGRID_TILES
struct Bfloat16Pass {
    using Number = Bfloat16;
    static int64_t workspace_floats(const HeadSize& size) { return tiled_attention_floats(size); }
    void attend(const auto&... arguments) { attend_on_tiles(tiles, arguments...); }
    void attend_backward(const auto&... arguments) { attend_backward_on_tiles(tiles, arguments...); }

    const SmallNumbersAreZero as_the_processor;
    ISOGRID_TILES tiles;
};
#else
struct Bfloat16Pass {
    using Number = Bfloat16;
    static int64_t workspace_floats(const HeadSize& size) { return vector_attention_floats(size); }
    void attend(const auto&... arguments) { ISOGRID_ISA::attend<AsBfloat16>(arguments...); }
    void attend_backward(const auto&... arguments) { ISOGRID_ISA::attend_backward<AsBfloat16>(arguments...); }

    const SmallNumbersAreZero as_the_processor;
};
#endif

template <class Pass>
void attention_of(const AttentionShape& shape, const RotaryTables& rotary, const void* qkv, void* out,
                  float* log_sum, float* workspace) {
    const HeadSize size(shape);
    const auto* q = static_cast<const typename Pass::Number*>(qkv);
    auto* results = static_cast<typename Pass::Number*>(out);
    Pass pass;
    for_heads(shape, [&](int64_t at, int64_t out_at, int64_t row) {
        pass.attend(size, rotary, shape.scale, q + at, q + size.out_stride + at, q + 2 * size.out_stride + at,
                    results + out_at, log_sum + row, workspace);
    });
}

template <class Pass>
void attention_backward_of(const AttentionShape& shape, const RotaryTables& rotary, const void* out_gradient,
                           const void* qkv, const void* out, const float* log_sum, void* qkv_gradient,
                           float* workspace) {
    using Number = typename Pass::Number;
    const HeadSize size(shape);
    const auto *gradients = static_cast<const Number*>(out_gradient), *q = static_cast<const Number*>(qkv);
    const auto* results = static_cast<const Number*>(out);
    auto* q_gradient = static_cast<Number*>(qkv_gradient);
    const int64_t k = size.out_stride, v = 2 * size.out_stride;
    Pass pass;
    for_heads(shape, [&](int64_t at, int64_t out_at, int64_t row) {
        const HeadGradients<Number> head{.out_gradient = gradients + out_at,
                                         .q = q + at,
                                         .k = q + k + at,
                                         .v = q + v + at,
                                         .out = results + out_at,
                                         .log_sum = log_sum + row,
                                         .q_gradient = q_gradient + at,
                                         .k_gradient = q_gradient + k + at,
                                         .v_gradient = q_gradient + v + at};
        pass.attend_backward(size, rotary, shape.scale, head, workspace);
    });
}

int64_t workspace_floats(const AttentionShape& shape, Element element) {
    const HeadSize size(shape);
    return element == Element::float32 ? Float32Pass::workspace_floats(size)
                                       : Bfloat16Pass::workspace_floats(size);
}

void attention(const AttentionShape& shape, const RotaryTables& rotary, Element element, const void* qkv,
               void* out, float* log_sum, float* workspace) {
    if (element == Element::float32)
        attention_of<Float32Pass>(shape, rotary, qkv, out, log_sum, workspace);
    else
        attention_of<Bfloat16Pass>(shape, rotary, qkv, out, log_sum, workspace);
}

void attention_backward(const AttentionShape& shape, const RotaryTables& rotary, Element element,
                        const void* out_gradient, const void* qkv, const void* out, const float* log_sum,
                        void* qkv_gradient, float* workspace) {
    if (element == Element::float32)
        attention_backward_of<Float32Pass>(shape, rotary, out_gradient, qkv, out, log_sum, qkv_gradient,
                                           workspace);
    else
        attention_backward_of<Bfloat16Pass>(shape, rotary, out_gradient, qkv, out, log_sum, qkv_gradient,
                                            workspace);
}

}  // namespace

void provide_attention(Simd& simd) {
    simd.attention_workspace = workspace_floats;
    simd.attention = attention;
    simd.attention_backward = attention_backward;
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
