// The arithmetic of every op behind one interface: reference/ is the oracle, cpu/ and cuda/ are fast.
//
// Everything is float32, row-major, in the backend's own memory. `rows` is batch x context unless said.
// Matrices of weights are (outputs, inputs), as the checkpoint formats of the field have them. Where a
// function takes `Write mode`, its result either replaces or is added to what stands in the output. Results
// are deterministic: the same inputs give the same bits on every call, whatever else runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace isogrid::kernels {

using TokenId = std::int32_t;

enum class Write { replace, add };

/// Row-major view of `rows * columns` floats. T is float or const float.
template <class T>
struct Matrix {
    T* data = nullptr;
    std::int64_t rows = 0, columns = 0;

    std::int64_t size() const { return rows * columns; }
    operator Matrix<const T>() const { return {data, rows, columns}; }  // NOLINT(google-explicit-constructor)
};
using ConstMatrix = Matrix<const float>;
using MutableMatrix = Matrix<float>;

/// Causal attention over `batch` sequences of `context` tokens; q, k, v and outputs are
/// (batch * context, heads * head_width), a head's columns standing together.
struct AttentionShape {
    std::int64_t batch = 0, context = 0, heads = 0, head_width = 0;
    float scale = 0;  ///< multiplies q.k before the softmax
};

/// Rotary positions in the half-split convention of Hugging Face's Llama: column i of a head's first half is
/// rotated with column i of its second half by position * theta^(-2 i / head_width) (Su et al. 2021,
/// RoFormer, eq. 15).
struct RotaryShape {
    std::int64_t context = 0, heads = 0, head_width = 0;
};

/// One step of AdamW over a run of parameters (Loshchilov and Hutter 2019, algorithm 2, decoupled decay).
struct AdamWStep {
    std::int64_t step = 1;    ///< from 1, for bias correction
    float learning_rate = 0;  ///< already scheduled and scaled for this tensor
    float beta1 = 0, beta2 = 0, epsilon = 0;
    float decay = 0;           ///< the fraction of each weight taken away this step
    float gradient_scale = 1;  ///< clipping: multiplies the gradient before use
};

/// Memory of a backend, 64-byte aligned, freed with its handle.
using Storage = std::shared_ptr<std::byte[]>;

class Backend {
  public:
    virtual ~Backend() = default;

    virtual std::string name() const = 0;             ///< reference, cpu or cuda
    virtual std::string instruction_set() const = 0;  ///< what the arithmetic runs on, for the provenance

    // Memory. On a CPU these are plain allocations and copies.
    virtual Storage allocate(std::size_t bytes) = 0;
    virtual void copy_in(void* destination, const void* host_source, std::size_t bytes) = 0;
    virtual void copy_out(void* host_destination, const void* source, std::size_t bytes) = 0;
    virtual void fill_zero(void* destination, std::size_t bytes) = 0;

    /// out[r] = scale * table[ids[r]];  out (rows, width), table (vocabulary, width).
    virtual void embedding(std::span<const TokenId> ids, ConstMatrix table, float scale,
                           MutableMatrix out) = 0;
    /// table_gradient[ids[r]] += scale * out_gradient[r], rows in rising order. Replace clears the table
    /// first.
    virtual void embedding_backward(std::span<const TokenId> ids, ConstMatrix out_gradient, float scale,
                                    MutableMatrix table_gradient, Write mode) = 0;

    /// out = x * inverse_rms * gain, inverse_rms[r] = 1 / sqrt(mean(x[r]^2) + epsilon); gain (width).
    virtual void rms_norm(ConstMatrix x, const float* gain, float epsilon, MutableMatrix out,
                          float* inverse_rms) = 0;
    virtual void rms_norm_backward(ConstMatrix out_gradient, ConstMatrix x, const float* gain,
                                   const float* inverse_rms, MutableMatrix x_gradient, Write x_mode,
                                   float* gain_gradient, Write gain_mode) = 0;

    /// out (rows, outputs) = scale * x (rows, inputs) * weights (outputs, inputs)^T.
    virtual void linear(ConstMatrix x, ConstMatrix weights, float scale, MutableMatrix out, Write mode) = 0;
    /// x_gradient = scale * out_gradient * weights.
    virtual void linear_backward_input(ConstMatrix out_gradient, ConstMatrix weights, float scale,
                                       MutableMatrix x_gradient, Write mode) = 0;
    /// weights_gradient = scale * out_gradient^T * x.
    virtual void linear_backward_weights(ConstMatrix out_gradient, ConstMatrix x, float scale,
                                         MutableMatrix weights_gradient, Write mode) = 0;

    /// Rotates x (rows, heads * head_width) by its position in the sequence; `cosines` and `sines` are
    /// (context, head_width / 2). `inverse` rotates back, which is also the derivative. out may be x.
    virtual void rotary(ConstMatrix x, const float* cosines, const float* sines, RotaryShape shape,
                        bool inverse, MutableMatrix out) = 0;

    /// out = softmax(scale * q k^T, causal) v; log_sum (batch * heads * context) keeps each row's
    /// log(sum(exp)) for the backward pass. workspace: attention_workspace(shape) floats.
    virtual void attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, AttentionShape shape,
                           MutableMatrix out, float* log_sum, float* workspace) = 0;
    virtual void attention_backward(ConstMatrix out_gradient, ConstMatrix q, ConstMatrix k, ConstMatrix v,
                                    ConstMatrix out, const float* log_sum, AttentionShape shape,
                                    MutableMatrix q_gradient, MutableMatrix k_gradient,
                                    MutableMatrix v_gradient, float* workspace) = 0;
    virtual std::int64_t attention_workspace(AttentionShape shape) const = 0;  ///< floats, for both passes

    /// out = gate / (1 + exp(-gate)) * up (Shazeer 2020, "GLU variants improve transformer").
    virtual void swiglu(ConstMatrix gate, ConstMatrix up, MutableMatrix out) = 0;
    virtual void swiglu_backward(ConstMatrix out_gradient, ConstMatrix gate, ConstMatrix up,
                                 MutableMatrix gate_gradient, MutableMatrix up_gradient) = 0;

    /// out = a + b; out may be a or b.
    virtual void add(ConstMatrix a, ConstMatrix b, MutableMatrix out) = 0;

    /// losses[r] = log(sum(exp(logits[r]))) - logits[r][targets[r]], nats; log_sum[r] is kept for backward.
    virtual void cross_entropy(ConstMatrix logits, std::span<const TokenId> targets, float* losses,
                               float* log_sum) = 0;
    /// logits_gradient = scale * (softmax(logits) - onehot(target)); may be the logits' own memory.
    virtual void cross_entropy_backward(ConstMatrix logits, std::span<const TokenId> targets,
                                        const float* log_sum, float scale, MutableMatrix logits_gradient) = 0;

    // Flat work on parameters and gradients.
    virtual void accumulate(std::span<float> destination, std::span<const float> source) = 0;  ///< d += s
    virtual double sum(std::span<const float> values) = 0;             ///< float64, in a fixed order
    virtual double sum_of_squares(std::span<const float> values) = 0;  ///< float64, in a fixed order
    virtual void adamw(AdamWStep step, std::span<const float> gradient, std::span<float> weights,
                       std::span<float> first_moment, std::span<float> second_moment) = 0;
};

/// Plain loops, float64 accumulation: the oracle.
std::unique_ptr<Backend> make_reference_backend();

/// Fast on x86-64 with AVX2 or AVX-512 (chosen at run time) and oneDNN; one thread. Throws std::runtime_error
/// on a processor without AVX2 and FMA.
std::unique_ptr<Backend> make_cpu_backend();

/// Throws std::runtime_error "not built with CUDA" where the build has none.
std::unique_ptr<Backend> make_cuda_backend(int device);

}  // namespace isogrid::kernels
