// The fast backend of x86-64: vector kernels and products of the best instruction set at hand.
#include "kernels/cpu/cpu_backend.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cpuid.h>
#include <stdexcept>
#include <unistd.h>

#include <sys/syscall.h>

#include "kernels/cpu/simd.hpp"
#include "kernels/host_backend.hpp"

namespace isogrid::kernels::cpu {

namespace {

Simd kernels_of(InstructionSet instruction_set) {
    switch (instruction_set) {
        case InstructionSet::avx2:
            return avx2::kernels();
        case InstructionSet::avx512:
            return avx512::kernels();
        case InstructionSet::avx512_bf16:
            return avx512_bf16::kernels();
        case InstructionSet::amx:
            return amx::kernels();
    }
    throw std::invalid_argument("no such instruction set");
}

/// Intel Software Developer's Manual, volume 1, "Programming with Intel AMX": the instructions by CPUID, and
/// the state of the tiles in XCR0, which says what the operating system saves. GCC 12 has no names for them.
bool processor_has_tiles() {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    constexpr unsigned os_saves_state = 1u << 27;  // OSXSAVE, without which there is no XGETBV
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & os_saves_state) == 0) return false;
    constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
    if ((edx & amx_bf16) == 0 || (edx & amx_tile) == 0) return false;
    unsigned low = 0, high = 0;
    asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    constexpr unsigned tile_configuration = 1u << 17, tile_data = 1u << 18;
    return (low & tile_configuration) != 0 && (low & tile_data) != 0;
}

/// Tiles make a thread's saved state 8 KB larger, so Linux (since 5.16) has a process ask before it uses them
/// (Documentation/arch/x86/xstate.rst). The header of such a kernel may not be at hand where this is
/// compiled.
bool system_grants_tiles() {
    constexpr int arch_req_xcomp_perm = 0x1023, xfeature_xtiledata = 18;
    return syscall(SYS_arch_prctl, arch_req_xcomp_perm, xfeature_xtiledata) == 0;
}

std::int64_t length(std::span<const float> values) {
    return static_cast<std::int64_t>(values.size());
}

class CpuBackend final : public HostBackend {
  public:
    explicit CpuBackend(InstructionSet instruction_set)
        : instruction_set_(instruction_set), simd_(kernels_of(instruction_set)) {}

    std::string name() const override { return "cpu"; }

    std::string instruction_set() const override { return std::string(cpu::name(instruction_set_)); }

    bool multiplies_natively(Element element) const override {
        return element == Element::float32 || instruction_set_ >= InstructionSet::avx512_bf16;
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

    void rms_norm(ConstMatrix x, const float* gain, float epsilon, Activations out,
                  float* inverse_rms) override {
        assert(x.rows == out.rows && x.columns == out.columns && whole_words(out));
        simd_.rms_norm(x.rows, x.columns, x.data, gain, epsilon, out.element, out.data, inverse_rms);
    }

    void rms_norm_backward(ConstMatrix out_gradient, ConstMatrix x, const float* gain,
                           const float* inverse_rms, MutableMatrix x_gradient, Write x_mode,
                           float* gain_gradient, Write gain_mode, Activations rounded) override {
        assert(x.rows == out_gradient.rows && x.columns == out_gradient.columns);
        assert(x.rows == x_gradient.rows && x.columns == x_gradient.columns);
        if (gain_mode == Write::replace) std::fill_n(gain_gradient, x.columns, 0.0f);
        simd_.rms_norm_backward(x.rows, x.columns, out_gradient.data, x.data, gain, inverse_rms,
                                x_gradient.data, x_mode, gain_gradient);
        if (rounded.data != nullptr) round(x_gradient, rounded);
    }

    PackedWeights pack_weights(ConstMatrix weights, Element element, float* packed) override {
        simd_.pack_weights(weights.rows, weights.columns, weights.data, element, packed);
        return {weights, element, packed};
    }

    std::int64_t packed_floats(std::int64_t outputs, std::int64_t inputs, Element element) const override {
        return simd_.packed_floats(outputs, inputs, element);
    }

    void linear(ConstActivations x, PackedWeights weights, const float* addend, Activations out) override {
        assert(x.columns == weights.weights.columns && x.element == weights.element);
        assert(out.rows == x.rows && out.columns == weights.weights.rows && whole_words(out));
        assert(addend == nullptr || out.element == Element::float32);
        simd_.linear(x.rows, out.columns, x.columns, x.element, x.data, weights.packed, addend, out.element,
                     out.data);
    }

    void linear_backward_input(ConstActivations out_gradient, PackedWeights weights, Activations x_gradient,
                               Write mode) override {
        assert(out_gradient.columns == weights.weights.rows && out_gradient.element == weights.element);
        assert(x_gradient.rows == out_gradient.rows && x_gradient.columns == weights.weights.columns);
        assert(whole_words(x_gradient) && (mode == Write::replace || x_gradient.element == Element::float32));
        simd_.linear_backward_input(out_gradient.rows, out_gradient.columns, x_gradient.columns,
                                    out_gradient.element, out_gradient.data, weights.packed,
                                    x_gradient.element, x_gradient.data, mode);
    }

    void linear_backward_weights(ConstActivations out_gradient, ConstActivations x,
                                 MutableMatrix weights_gradient, Write mode, float* workspace) override {
        assert(out_gradient.rows == x.rows && out_gradient.element == x.element);
        assert(weights_gradient.rows == out_gradient.columns && weights_gradient.columns == x.columns);
        simd_.linear_backward_weights(x.rows, out_gradient.columns, x.columns, x.element, out_gradient.data,
                                      x.data, weights_gradient.data, mode, workspace);
    }

    std::int64_t linear_workspace(std::int64_t rows, std::int64_t outputs, std::int64_t inputs,
                                  Element element) const override {
        return simd_.linear_workspace(rows, outputs, inputs, element);
    }

    void attention(ConstActivations qkv, RotaryTables rotary, AttentionShape shape, Activations out,
                   float* log_sum, float* workspace) override {
        assert(is_qkv(qkv, shape) && is_out(out, shape) && qkv.element == out.element);
        simd_.attention(shape, rotary, qkv.element, qkv.data, out.data, log_sum, workspace);
    }

    void attention_backward(ConstActivations out_gradient, ConstActivations qkv, RotaryTables rotary,
                            ConstActivations out, const float* log_sum, AttentionShape shape,
                            Activations qkv_gradient, float* workspace) override {
        assert(is_out(out_gradient, shape) && is_qkv(qkv, shape) && is_out(out, shape) &&
               is_qkv(qkv_gradient, shape));
        assert(out_gradient.element == qkv.element && out.element == qkv.element &&
               qkv_gradient.element == qkv.element);
        simd_.attention_backward(shape, rotary, qkv.element, out_gradient.data, qkv.data, out.data, log_sum,
                                 qkv_gradient.data, workspace);
    }

    std::int64_t attention_workspace(AttentionShape shape, Element element) const override {
        return simd_.attention_workspace(shape, element);
    }

    void swiglu(ConstActivations gate_up, Activations out) override {
        assert(gate_up.rows == out.rows && gate_up.columns == 2 * out.columns && whole_words(out) &&
               gate_up.element == out.element);
        simd_.swiglu(out.rows, out.columns, out.element, gate_up.data, out.data);
    }

    void swiglu_backward(ConstActivations out_gradient, ConstActivations gate_up,
                         Activations gate_up_gradient) override {
        assert(gate_up.rows == out_gradient.rows && gate_up.columns == 2 * out_gradient.columns);
        assert(gate_up_gradient.size() == gate_up.size() && whole_words(out_gradient));
        assert(gate_up.element == out_gradient.element && gate_up_gradient.element == gate_up.element);
        simd_.swiglu_backward(gate_up.rows, out_gradient.columns, gate_up.element, out_gradient.data,
                              gate_up.data, gate_up_gradient.data);
    }

    void add(ConstMatrix a, ConstMatrix b, MutableMatrix out) override {
        assert(a.size() == out.size() && b.size() == out.size());
        simd_.add(out.size(), a.data, b.data, out.data);
    }

    void round(ConstMatrix x, Activations out) override {
        assert(out.rows == x.rows && out.columns == x.columns && out.element == Element::bfloat16);
        simd_.round(x.rows, x.columns, x.data, static_cast<Bfloat16*>(out.data));
    }

    void cross_entropy(ConstMatrix logits, std::span<const TokenId> targets, float logit_scale,
                       float* losses) override {
        assert(std::int64_t(targets.size()) == logits.rows);
        simd_.cross_entropy(logits.rows, logits.columns, logits.data, targets.data(), logit_scale, losses);
    }

    void cross_entropy_gradient(MutableMatrix logits, std::span<const TokenId> targets, float logit_scale,
                                float loss_scale, float* losses, Activations logits_gradient) override {
        assert(std::int64_t(targets.size()) == logits.rows && logits_gradient.size() == logits.size());
        simd_.cross_entropy_gradient(logits.rows, logits.columns, logits.data, targets.data(), logit_scale,
                                     loss_scale, losses, logits_gradient.element, logits_gradient.data);
    }

    using HostBackend::accumulate;
    void accumulate(std::span<float> destination, std::span<const float> source) override {
        assert(destination.size() == source.size());
        simd_.add(length(source), destination.data(), source.data(), destination.data());
    }

    void add_sum(std::span<const float> values, double* total) override {
        *total += simd_.sum(length(values), values.data());
    }
    void add_sums_of_squares(std::span<const float> values, std::span<const Run> runs,
                             double* totals) override {
        for (const Run& run : runs)
            totals[run.kind] += simd_.sum_of_squares(run.size, values.data() + run.first);
    }

    void adamw(std::span<const Run> runs, const AdamWStep* steps, const Standing* standing,
               std::span<const float> gradient, std::span<float> weights, std::span<float> first_moment,
               std::span<float> second_moment, PackedCopies copies) override {
        assert(gradient.size() == weights.size() && first_moment.size() == weights.size() &&
               second_moment.size() == weights.size());
        if (standing->ended_at != 0) return;
        for (const Run& run : runs) {
            const AdamWStep& step = steps[run.kind];
            assert(step.step >= 1);
            const auto correction = [&](double beta) {
                return static_cast<float>(1 / (1 - std::pow(beta, static_cast<double>(step.step))));
            };
            simd_.adamw(run.size, step, standing->gradient_scale, correction(step.beta1),
                        correction(step.beta2), gradient.data() + run.first, weights.data() + run.first,
                        first_moment.data() + run.first, second_moment.data() + run.first);
        }
        pack_weights_again(copies);
    }

  private:
    /// Only logits may have an odd number of columns in bfloat16.
    [[maybe_unused]] static bool whole_words(ConstActivations matrix) {
        return matrix.stride() == matrix.columns;
    }
    [[maybe_unused]] static bool is_qkv(ConstActivations matrix, const AttentionShape& shape) {
        return matrix.rows == shape.rows() && matrix.columns == 3 * shape.width() && whole_words(matrix);
    }
    [[maybe_unused]] static bool is_out(ConstActivations matrix, const AttentionShape& shape) {
        return matrix.rows == shape.rows() && matrix.columns == shape.width() && whole_words(matrix);
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
        case InstructionSet::amx:
            return "amx";
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
        case InstructionSet::amx: {
            // Leave is the process's, and its threads' to come.
            static const bool granted = processor_has_tiles() && system_grants_tiles();
            return granted && supported(InstructionSet::avx512_bf16);
        }
    }
    return false;
}

InstructionSet best_instruction_set() {
    for (auto at = instruction_sets.rbegin(); at != instruction_sets.rend(); ++at)
        if (supported(*at)) return *at;
    throw std::runtime_error("no cpu backend (this processor lacks AVX2 or FMA) run on x86-64-v3 or newer");
}

std::unique_ptr<Backend> make_backend(InstructionSet instruction_set) {
    if (!supported(instruction_set))
        throw std::runtime_error(
            "no " + std::string(name(instruction_set)) +
            " backend (this processor does not run it) choose another, or another machine");
    return std::make_unique<CpuBackend>(instruction_set);
}

}  // namespace isogrid::kernels::cpu

namespace isogrid::kernels {

std::unique_ptr<Backend> make_cpu_backend() {
    return cpu::make_backend(cpu::best_instruction_set());
}

}  // namespace isogrid::kernels
