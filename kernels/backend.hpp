// The arithmetic of every op behind one interface: reference/ is the oracle, cpu/ and cuda/ are fast.
//
// Everything is row-major, in the backend's own memory. `rows` is batch x context unless said. Matrices of
// weights are (outputs, inputs), as the checkpoint formats of the field have them. Weights, their gradients,
// the residual stream, logits and losses are float32; what passes through products may be bfloat16, whose
// products are summed in float32. Where a function takes `Write mode`, its result either replaces or is added
// to what stands in the output. Results are deterministic: the same inputs give the same bits on every call,
// whatever else runs. Sums over rows (the gradients of weights, gains and tables) run in rising order of rows
// from what stands in the output: adding block after block of rows gives the bits of all rows at once. (In
// bfloat16 gradients of weights take rows in pairs: they do so where every block but the last has an even
// number of rows, and on AMX tiles, cpu/simd/tiles.hpp, a multiple of 32.) On cuda they run in parts of rows,
// whose sums are added in a fixed order: there the bits depend on how rows are cut into blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "kernels/links.hpp"
#include "kernels/stopwatch.hpp"

namespace isogrid::kernels {

using TokenId = std::int32_t;

enum class Write { replace, add };

/// What the numbers of a matrix are.
enum class Element { float32, bfloat16 };

/// The upper half of a float32: 8 bits of exponent and 7 of fraction.
struct Bfloat16 {
    std::uint16_t bits;
};

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

/// Elements from one row to the next: rows of bfloat16 begin at whole words of four bytes, so that products
/// can read them in pairs; an odd row is followed by one element that is zero.
constexpr std::int64_t row_stride(std::int64_t columns, Element element) {
    return element == Element::bfloat16 ? (columns + 1) / 2 * 2 : columns;
}

/// Floats that a matrix of such elements takes.
constexpr std::int64_t floats_of(std::int64_t rows, std::int64_t columns, Element element) {
    return element == Element::bfloat16 ? rows * row_stride(columns, element) / 2 : rows * columns;
}

/// Row-major view of numbers that pass through products. Void is void or const void.
template <class Void>
struct ActivationView {
    Void* data = nullptr;
    std::int64_t rows = 0, columns = 0;
    Element element = Element::float32;

    ActivationView() = default;
    ActivationView(Void* numbers, std::int64_t row_count, std::int64_t column_count, Element kind)
        : data(numbers), rows(row_count), columns(column_count), element(kind) {}
    template <class T>
    ActivationView(Matrix<T> matrix)  // NOLINT(google-explicit-constructor)
        : data(matrix.data), rows(matrix.rows), columns(matrix.columns) {}
    operator ActivationView<const Void>() const {  // NOLINT(google-explicit-constructor)
        return {data, rows, columns, element};
    }

    std::int64_t size() const { return rows * columns; }
    std::int64_t stride() const { return row_stride(columns, element); }  ///< in elements
};
using ConstActivations = ActivationView<const void>;
using Activations = ActivationView<void>;

/// Weights (outputs, inputs) laid out as products read them, by Backend::pack_weights, which alone knows how.
struct PackedWeights {
    ConstMatrix weights;  ///< what was packed, unchanged since
    Element element = Element::float32;
    float* packed = nullptr;
};

/// Weights that have been packed for `element`. The descriptions stand in the backend's memory, and no two of
/// the matrices have a weight in common.
struct PackedCopies {
    std::span<const PackedWeights> matrices = {};
    Element element = Element::float32;
};

/// Causal attention over `batch` sequences of `context` tokens. q, k and v stand side by side in one matrix
/// (batch * context, 3 * heads * head_width), a head's columns together; outputs are (batch * context,
/// heads * head_width).
struct AttentionShape {
    std::int64_t batch = 0, context = 0, heads = 0, head_width = 0;
    float scale = 0;  ///< multiplies q.k before the softmax

    constexpr std::int64_t rows() const { return batch * context; }
    constexpr std::int64_t width() const { return heads * head_width; }
};

/// Rotary positions in the half-split convention of Hugging Face's Llama: column i of a head's first half is
/// rotated with column i of its second half by position * theta^(-2 i / head_width) (Su et al. 2021,
/// RoFormer, eq. 15). Both tables are (context, head_width / 2).
struct RotaryTables {
    const float* cosines = nullptr;
    const float* sines = nullptr;
};

/// Numbers of one kind that stand together in a flat buffer.
struct Run {
    std::int64_t first = 0, size = 0, kind = 0;
};

/// What a step of AdamW is told of one kind of parameters (Loshchilov and Hutter 2019, algorithm 2, decoupled
/// decay).
struct AdamWStep {
    std::int64_t step = 1;    ///< from 1, for bias correction
    float learning_rate = 0;  ///< already scheduled and scaled for this kind
    float beta1 = 0, beta2 = 0, epsilon = 0;
    float decay = 0;  ///< the fraction of each weight taken away this step
};

/// Where training stands. It lives in the backend's memory and is written by close_step, so that nobody waits
/// for a step's end but who wants to read it.
struct Standing {
    std::int64_t ended_at = 0;  ///< the first step whose loss or norm was not a number; from it on nothing
                                ///< here changes, nor do weights; 0: none
    double loss = 0;            ///< of the last step, mean nats a token
    double loss_sum = 0;        ///< of all steps since somebody cleared it
    double gradient_norm = 0;   ///< of the last step
    float gradient_scale = 1;   ///< clipping: multiplies the gradient before use
};

/// What close_step needs to know of a trial.
struct StepRule {
    double tokens = 1;         ///< of a step
    double gradient_clip = 0;  ///< largest norm; 0 means none
};

/// Memory of a backend, 64-byte aligned, freed with its handle.
using Storage = std::shared_ptr<std::byte[]>;

class Backend {
  public:
    virtual ~Backend() = default;

    virtual std::string name() const = 0;             ///< reference, cpu or cuda
    virtual std::string instruction_set() const = 0;  ///< what the arithmetic runs on, for the provenance
    /// Whether products of such numbers have instructions of their own here; else they are correct and
    /// slower.
    virtual bool multiplies_natively(Element element) const = 0;
    /// True: its memory is the program's own, and ops run on the calling thread. False: its memory is reached
    /// by copy_in and copy_out alone, and one thread at a time may call it.
    virtual bool on_host() const = 0;
    /// The rows of a block, into which a training step is best cut, for a model of `width`. The bits of
    /// gradients may depend on it, so it depends on nothing else.
    virtual std::int64_t rows_at_once(std::int64_t width) const = 0;
    /// How many of them best have their logits, over `vocabulary`, at a time; it too depends on nothing else.
    virtual std::int64_t logit_rows_at_once(std::int64_t vocabulary) const = 0;
    /// Training steps, each of so many FLOPs and ops, that are best recorded as one launch: a power of two.
    virtual std::int64_t steps_a_launch(double flops, std::int64_t ops) const = 0;
    /// Backends of this kind that may compute beside each other on one card, each for a thread of its own.
    virtual int trials_at_once() const = 0;

    /// A function that does `work`, which is ops on memory that outlives it. On a card its first call runs
    /// `work`, the second captures it as a CUDA graph, and all later calls launch that graph. So `work` may
    /// not copy in or out, and what it reads of the program's memory may not change. The backend must outlive
    /// the function.
    virtual std::function<void()> recorded(std::function<void()> work) = 0;

    /// Times what this backend is asked for (not recorded work). The backend must outlive it.
    virtual std::unique_ptr<Stopwatch> stopwatch() = 0;

    /// What the ranks of a group exchange before link(): this card, or why it cannot be linked (it is a
    /// processor, or NCCL is missing); of the first rank the key too.
    virtual LinkOffer link_offer(bool first_rank) const;
    /// Links this card with the others of its group; every rank of it must call this at about the same time.
    /// The backend must outlive the links, and these what was recorded with them. Throws std::runtime_error
    /// `problem (why) what to do`, and LinkBroken where a member left meanwhile.
    virtual std::unique_ptr<Links> link(LinkPlace place);

    // Memory. On a CPU these are plain allocations and copies. What is copied in may be gone when the call
    // returns; what is copied out is there. All else may still be under way then.
    virtual Storage allocate(std::size_t bytes) = 0;
    virtual void copy_in(void* destination, const void* host_source, std::size_t bytes) = 0;
    virtual void copy_out(void* host_destination, const void* source, std::size_t bytes) = 0;
    virtual void fill_zero(void* destination, std::size_t bytes) = 0;

    /// The most memory that ops over so many rows allocate by themselves: once for each piece of recorded
    /// work, and once for all else. Workspaces are the callers' and not counted.
    virtual std::int64_t scratch_bytes(std::int64_t rows, std::int64_t width,
                                       std::int64_t vocabulary) const = 0;

    /// out[r] = scale * table[ids[r]];  out (rows, width), table (vocabulary, width).
    virtual void embedding(std::span<const TokenId> ids, ConstMatrix table, float scale,
                           MutableMatrix out) = 0;
    /// table_gradient[ids[r]] += scale * out_gradient[r], rows in rising order. Replace clears the table
    /// first.
    virtual void embedding_backward(std::span<const TokenId> ids, ConstMatrix out_gradient, float scale,
                                    MutableMatrix table_gradient, Write mode) = 0;

    /// out = x * inverse_rms * gain, inverse_rms[r] = 1 / sqrt(mean(x[r]^2) + epsilon); gain (width).
    virtual void rms_norm(ConstMatrix x, const float* gain, float epsilon, Activations out,
                          float* inverse_rms) = 0;
    /// `rounded` (bfloat16), where it is given, is what x_gradient then is, rounded.
    virtual void rms_norm_backward(ConstMatrix out_gradient, ConstMatrix x, const float* gain,
                                   const float* inverse_rms, MutableMatrix x_gradient, Write x_mode,
                                   float* gain_gradient, Write gain_mode, Activations rounded) = 0;

    /// Lays weights out for products with activations of `element`; `packed` has packed_floats of them.
    /// linear and linear_backward_input read both: pack again after the weights have changed.
    virtual PackedWeights pack_weights(ConstMatrix weights, Element element, float* packed) = 0;
    /// Packs again what pack_weights has packed, as the weights have changed.
    virtual void pack_weights_again(PackedCopies copies) = 0;
    virtual std::int64_t packed_floats(std::int64_t outputs, std::int64_t inputs, Element element) const = 0;

    /// out (rows, outputs) = x (rows, inputs) * weights (outputs, inputs)^T, plus `addend` (rows, outputs)
    /// where there is one (then out is float32; it may be the addend's own memory).
    virtual void linear(ConstActivations x, PackedWeights weights, const float* addend, Activations out) = 0;
    /// x_gradient = out_gradient * weights. Only float32 can be added to.
    virtual void linear_backward_input(ConstActivations out_gradient, PackedWeights weights,
                                       Activations x_gradient, Write mode) = 0;
    /// weights_gradient = out_gradient^T * x, both of one element; workspace: linear_workspace floats.
    virtual void linear_backward_weights(ConstActivations out_gradient, ConstActivations x,
                                         MutableMatrix weights_gradient, Write mode, float* workspace) = 0;
    virtual std::int64_t linear_workspace(std::int64_t rows, std::int64_t outputs, std::int64_t inputs,
                                          Element element) const = 0;

    /// q and k rotated by their positions, out = softmax(scale * q k^T, causal) v; log_sum (batch * heads *
    /// context) keeps each row's log(sum(exp)) for the backward pass. qkv and out have one element; in
    /// bfloat16 the rotated q and k and the softmax are rounded before they enter products. workspace:
    /// attention_workspace floats, for both passes.
    virtual void attention(ConstActivations qkv, RotaryTables rotary, AttentionShape shape, Activations out,
                           float* log_sum, float* workspace) = 0;
    virtual void attention_backward(ConstActivations out_gradient, ConstActivations qkv, RotaryTables rotary,
                                    ConstActivations out, const float* log_sum, AttentionShape shape,
                                    Activations qkv_gradient, float* workspace) = 0;
    virtual std::int64_t attention_workspace(AttentionShape shape, Element element) const = 0;

    /// out (rows, hidden) = gate / (1 + exp(-gate)) * up, gate and up side by side in gate_up (rows,
    /// 2 * hidden) (Shazeer 2020, "GLU variants improve transformer"). All of one element.
    virtual void swiglu(ConstActivations gate_up, Activations out) = 0;
    virtual void swiglu_backward(ConstActivations out_gradient, ConstActivations gate_up,
                                 Activations gate_up_gradient) = 0;

    /// out = a + b; out may be a or b.
    virtual void add(ConstMatrix a, ConstMatrix b, MutableMatrix out) = 0;

    /// out (bfloat16) = x, to nearest even.
    virtual void round(ConstMatrix x, Activations out) = 0;

    /// With z = logit_scale * logits: losses[r] = log(sum(exp(z[r]))) - z[r][targets[r]], nats.
    virtual void cross_entropy(ConstMatrix logits, std::span<const TokenId> targets, float logit_scale,
                               float* losses) = 0;
    /// The losses, and logits_gradient = loss_scale * logit_scale * (softmax(z) - onehot(target)), the
    /// derivative of loss_scale * sum(losses). Spoils the logits, whose memory the gradient may share where
    /// it is float32.
    virtual void cross_entropy_gradient(MutableMatrix logits, std::span<const TokenId> targets,
                                        float logit_scale, float loss_scale, float* losses,
                                        Activations logits_gradient) = 0;

    // Flat work on parameters, gradients and the scalars of a step, all in the backend's memory.
    virtual void accumulate(std::span<float> destination, std::span<const float> source) = 0;    ///< d += s
    virtual void accumulate(std::span<double> destination, std::span<const double> source) = 0;  ///< d += s
    /// *total += the sum of values, taken in float64 in a fixed order.
    virtual void add_sum(std::span<const float> values, double* total) = 0;
    /// totals[kind] += the sum of squares of each of its runs, taken in float64 in a fixed order.
    virtual void add_sums_of_squares(std::span<const float> values, std::span<const Run> runs,
                                     double* totals) = 0;
    /// Closes step `step->step`: `loss_sum` is the sum of its tokens' losses, `squares` that of its gradient.
    virtual void close_step(const double* loss_sum, const double* squares, const AdamWStep* step,
                            StepRule rule, Standing* standing) = 0;
    /// AdamW by the step that was closed last, unless training has ended; a run's kind is its place in
    /// `steps`. Brings the packed `copies` of the weights up to date: each run lies as a whole within one of
    /// their matrices, or in none, and the runs cover them all.
    virtual void adamw(std::span<const Run> runs, const AdamWStep* steps, const Standing* standing,
                       std::span<const float> gradient, std::span<float> weights,
                       std::span<float> first_moment, std::span<float> second_moment,
                       PackedCopies copies) = 0;

    // The same sums of one span as the call's result, which waits for the backend.
    double sum(std::span<const float> values);
    double sum_of_squares(std::span<const float> values);
};

/// Plain loops, float64 accumulation: the oracle.
std::unique_ptr<Backend> make_reference_backend();

/// Fast on x86-64 with AVX2 or AVX-512 (chosen at run time), on the calling thread. Throws std::runtime_error
/// on a processor without AVX2 and FMA.
std::unique_ptr<Backend> make_cpu_backend();

/// On card `device` of those that the process sees. Throws std::runtime_error `problem (why) what to do`
/// where there is none, it is too old, or the build has no CUDA.
std::unique_ptr<Backend> make_cuda_backend(int device);

}  // namespace isogrid::kernels
