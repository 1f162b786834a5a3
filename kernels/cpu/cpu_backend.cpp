// The fast backend of x86-64: vector kernels of the best instruction set at hand, matrix products by oneDNN.
#include "kernels/cpu/cpu_backend.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <stdexcept>

#include "kernels/cpu/matrix_product.hpp"
#include "kernels/cpu/simd.hpp"
#include "kernels/host_backend.hpp"

namespace isogrid::kernels::cpu {

namespace {

Simd kernels_of(InstructionSet instruction_set) {
    Simd simd{};
    if (instruction_set >= InstructionSet::avx512) {
        avx512::provide_rows(simd);
        avx512::provide_elementwise(simd);
        avx512::provide_cross_entropy(simd);
        avx512::provide_attention(simd);
    } else {
        avx2::provide_rows(simd);
        avx2::provide_elementwise(simd);
        avx2::provide_cross_entropy(simd);
        avx2::provide_attention(simd);
    }
    return simd;
}

float kept(Write mode) {
    return mode == Write::add ? 1.0f : 0.0f;
}

std::int64_t length(std::span<const float> values) {
    return static_cast<std::int64_t>(values.size());
}

class CpuBackend final : public HostBackend {
  public:
    explicit CpuBackend(InstructionSet instruction_set)
        : instruction_set_(instruction_set), simd_(kernels_of(instruction_set)) {}

    std::string name() const override { return "cpu"; }

    std::string instruction_set() const override {
        return std::string(cpu::name(instruction_set_)) + " (oneDNN " + matrix_product_version() + " " + matrix_product_instruction_set() + ")";
    }

    void embedding(std::span<const TokenId> ids, ConstMatrix table, float scale, MutableMatrix out) override {
        assert(std::int64_t(ids.size()) == out.rows && table.columns == out.columns);
        simd_.embedding(ids.data(), out.rows, out.columns, table.data, scale, out.data);
    }

    void embedding_backward(std::span<const TokenId> ids, ConstMatrix out_gradient, float scale,
                            MutableMatrix table_gradient, Write mode) override {
        assert(std::int64_t(ids.size()) == out_gradient.rows &&
               table_gradient.columns == out_gradient.columns);
        if (mode == Write::replace) std::fill_n(table_gradient.data, table_gradient.size(), 0.0f);
        simd_.embedding_backward(ids.data(), out_gradient.rows, out_gradient.columns, out_gradient.data,
                                 scale, table_gradient.data);
    }

    void rms_norm(ConstMatrix x, const float* gain, float epsilon, MutableMatrix out,
                  float* inverse_rms) override {
        assert(x.rows == out.rows && x.columns == out.columns);
        simd_.rms_norm(x.rows, x.columns, x.data, gain, epsilon, out.data, inverse_rms);
    }

    void rms_norm_backward(ConstMatrix out_gradient, ConstMatrix x, const float* gain,
                           const float* inverse_rms, MutableMatrix x_gradient, Write x_mode,
                           float* gain_gradient, Write gain_mode) override {
        assert(x.rows == out_gradient.rows && x.columns == out_gradient.columns);
        assert(x.rows == x_gradient.rows && x.columns == x_gradient.columns);
        if (gain_mode == Write::replace) std::fill_n(gain_gradient, x.columns, 0.0f);
        simd_.rms_norm_backward(x.rows, x.columns, out_gradient.data, x.data, gain, inverse_rms,
                                x_gradient.data, x_mode, gain_gradient);
    }

    void linear(ConstMatrix x, ConstMatrix weights, float scale, MutableMatrix out, Write mode) override {
        assert(x.columns == weights.columns && out.rows == x.rows && out.columns == weights.rows);
        matrix_product(out.rows, out.columns, x.columns, scale, {x.data, Transpose::no, x.columns},
                       {weights.data, Transpose::yes, weights.columns}, kept(mode), out.data);
    }

    void linear_backward_input(ConstMatrix out_gradient, ConstMatrix weights, float scale,
                               MutableMatrix x_gradient, Write mode) override {
        assert(out_gradient.columns == weights.rows && x_gradient.rows == out_gradient.rows &&
               x_gradient.columns == weights.columns);
        matrix_product(x_gradient.rows, x_gradient.columns, weights.rows, scale,
                       {out_gradient.data, Transpose::no, out_gradient.columns},
                       {weights.data, Transpose::no, weights.columns}, kept(mode), x_gradient.data);
    }

    void linear_backward_weights(ConstMatrix out_gradient, ConstMatrix x, float scale,
                                 MutableMatrix weights_gradient, Write mode) override {
        assert(out_gradient.rows == x.rows && weights_gradient.rows == out_gradient.columns &&
               weights_gradient.columns == x.columns);
        matrix_product(weights_gradient.rows, weights_gradient.columns, x.rows, scale,
                       {out_gradient.data, Transpose::yes, out_gradient.columns},
                       {x.data, Transpose::no, x.columns}, kept(mode), weights_gradient.data);
    }

    void rotary(ConstMatrix x, const float* cosines, const float* sines, RotaryShape shape, bool inverse,
                MutableMatrix out) override {
        assert(x.columns == shape.heads * shape.head_width && x.rows % shape.context == 0);
        assert(out.rows == x.rows && out.columns == x.columns);
        simd_.rotary(x.rows, shape, x.data, cosines, sines, inverse, out.data);
    }

    void attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, AttentionShape shape, MutableMatrix out,
                   float* log_sum, float* workspace) override {
        assert(fits(q, shape) && fits(k, shape) && fits(v, shape) && fits(out, shape));
        simd_.attention(shape, q.data, k.data, v.data, out.data, log_sum, workspace);
    }

    void attention_backward(ConstMatrix out_gradient, ConstMatrix q, ConstMatrix k, ConstMatrix v,
                            ConstMatrix out, const float* log_sum, AttentionShape shape,
                            MutableMatrix q_gradient, MutableMatrix k_gradient, MutableMatrix v_gradient,
                            float* workspace) override {
        assert(fits(out_gradient, shape) && fits(q, shape) && fits(k, shape) && fits(v, shape) &&
               fits(out, shape) && fits(q_gradient, shape) && fits(k_gradient, shape) &&
               fits(v_gradient, shape));
        simd_.attention_backward(shape, out_gradient.data, q.data, k.data, v.data, out.data, log_sum,
                                 q_gradient.data, k_gradient.data, v_gradient.data, workspace);
    }

    std::int64_t attention_workspace(AttentionShape shape) const override {
        return simd_.attention_workspace(shape);
    }

    void swiglu(ConstMatrix gate, ConstMatrix up, MutableMatrix out) override {
        assert(gate.size() == out.size() && up.size() == out.size());
        simd_.swiglu(out.size(), gate.data, up.data, out.data);
    }

    void swiglu_backward(ConstMatrix out_gradient, ConstMatrix gate, ConstMatrix up,
                         MutableMatrix gate_gradient, MutableMatrix up_gradient) override {
        assert(gate.size() == out_gradient.size() && up.size() == gate.size() &&
               gate_gradient.size() == gate.size() && up_gradient.size() == gate.size());
        simd_.swiglu_backward(gate.size(), out_gradient.data, gate.data, up.data, gate_gradient.data,
                              up_gradient.data);
    }

    void add(ConstMatrix a, ConstMatrix b, MutableMatrix out) override {
        assert(a.size() == out.size() && b.size() == out.size());
        simd_.add(out.size(), a.data, b.data, out.data);
    }

    void cross_entropy(ConstMatrix logits, std::span<const TokenId> targets, float* losses,
                       float* log_sum) override {
        assert(std::int64_t(targets.size()) == logits.rows);
        simd_.cross_entropy(logits.rows, logits.columns, logits.data, targets.data(), losses, log_sum);
    }

    void cross_entropy_backward(ConstMatrix logits, std::span<const TokenId> targets, const float* log_sum,
                                float scale, MutableMatrix logits_gradient) override {
        assert(std::int64_t(targets.size()) == logits.rows && logits_gradient.size() == logits.size());
        simd_.cross_entropy_backward(logits.rows, logits.columns, logits.data, targets.data(), log_sum, scale,
                                     logits_gradient.data);
    }

    void accumulate(std::span<float> destination, std::span<const float> source) override {
        assert(destination.size() == source.size());
        simd_.add(length(source), destination.data(), source.data(), destination.data());
    }

    double sum(std::span<const float> values) override { return simd_.sum(length(values), values.data()); }

    double sum_of_squares(std::span<const float> values) override {
        return simd_.sum_of_squares(length(values), values.data());
    }

    void adamw(AdamWStep step, std::span<const float> gradient, std::span<float> weights,
               std::span<float> first_moment, std::span<float> second_moment) override {
        assert(gradient.size() == weights.size() && first_moment.size() == weights.size() &&
               second_moment.size() == weights.size() && step.step >= 1);
        const auto correction = [&](double beta) {
            return static_cast<float>(1 / (1 - std::pow(beta, static_cast<double>(step.step))));
        };
        simd_.adamw(length(weights), step, correction(step.beta1), correction(step.beta2), gradient.data(),
                    weights.data(), first_moment.data(), second_moment.data());
    }

  private:
    [[maybe_unused]] static bool fits(ConstMatrix matrix, const AttentionShape& shape) {
        return matrix.rows == shape.batch * shape.context && matrix.columns == shape.heads * shape.head_width;
    }

    InstructionSet instruction_set_;
    Simd simd_;
};

}  // namespace

std::string_view name(InstructionSet instruction_set) {
    switch (instruction_set) {
        case InstructionSet::avx2:
            return "avx2";
        case InstructionSet::avx512:
            return "avx512";
        case InstructionSet::avx512_bf16:
            return "avx512_bf16";
    }
    throw std::invalid_argument("no such instruction set");
}

bool supported(InstructionSet instruction_set) {
    switch (instruction_set) {
        case InstructionSet::avx2:
            return __builtin_cpu_supports("x86-64-v3") != 0;
        case InstructionSet::avx512:
            return __builtin_cpu_supports("x86-64-v4") != 0;
        case InstructionSet::avx512_bf16:
            return __builtin_cpu_supports("x86-64-v4") != 0 && __builtin_cpu_supports("avx512bf16") != 0;
    }
    return false;
}

InstructionSet best_instruction_set() {
    for (auto at = instruction_sets.rbegin(); at != instruction_sets.rend(); ++at)
        if (supported(*at)) return *at;
    throw std::runtime_error(
        "no cpu backend (this processor lacks AVX2 or FMA) run on x86-64-v3 or newer");
}

std::unique_ptr<Backend> make_backend(InstructionSet instruction_set) {
    if (!supported(instruction_set))
        throw std::runtime_error("no " + std::string(name(instruction_set)) +
                                 " backend (this processor does not run it) choose another, or another machine");
    return std::make_unique<CpuBackend>(instruction_set);
}

}  // namespace isogrid::kernels::cpu

namespace isogrid::kernels {

std::unique_ptr<Backend> make_cpu_backend() {
    return cpu::make_backend(cpu::best_instruction_set());
}

}  // namespace isogrid::kernels
