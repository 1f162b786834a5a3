#include "kernels/cuda/cuda_backend.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "kernels/cuda/cards.hpp"
#include "kernels/cuda/event_stopwatch.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/nccl_links.hpp"
#include "kernels/cuda/recording.hpp"
#include "kernels/cuda/runtime.hpp"
#include "kernels/cuda/sizes.hpp"
#include "kernels/cuda/staging.hpp"
#include "kernels/cuda/waiting.hpp"

namespace isogrid::kernels::cuda {

namespace {

/// Makes a card the calling thread's, and says what it is. Throws where it cannot be used.
cudaDeviceProp take(int device) {
    int cards = 0;
    check(cudaGetDeviceCount(&cards), "looking for CUDA cards");
    if (device < 0 || device >= cards)
        throw std::runtime_error("no CUDA card " + std::to_string(device) + " (this process sees " +
                                 std::to_string(cards) +
                                 ") start one rank a card, or ask for more with --gpus-per-node");
    check(cudaSetDevice(device), "taking a CUDA card");
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, device), "asking what a CUDA card is");
    constexpr int oldest = 8;  // bfloat16, and what kernels/cuda/ptx.hpp needs
    if (properties.major < oldest)
        throw std::runtime_error("no CUDA backend on " + std::string(properties.name) +
                                 " (its compute capability is " + std::to_string(properties.major) + "." +
                                 std::to_string(properties.minor) +
                                 ", and 8.0 is the least) use a newer card, "
                                 "or choose device = \"cpu\"");
    return properties;
}

class CudaBackend final : public Backend {
  public:
    CudaBackend(int device, Arithmetic arithmetic, Launches launches, Waits waits)
        : properties_(take(device)),
          launches_(launches),
          products_(arithmetic, properties_.multiProcessorCount) {
        if (waits == Waits::naps) look_ = [] {};  // whoever looks up naps in between
    }

    std::string name() const override { return "cuda"; }
    std::string instruction_set() const override {
        const std::size_t version = Products::library_version();
        return kind_of(capability(), properties_.multiProcessorCount) + " cublas" +
               std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
               std::to_string(version % 100);
    }
    int trials_at_once() const override {
        return cuda::trials_at_once(capability(), Products::library_version());
    }
    bool multiplies_natively(Element) const override { return true; }
    bool on_host() const override { return false; }
    std::int64_t rows_at_once(std::int64_t width) const override { return cuda::rows_at_once(width); }
    std::int64_t logit_rows_at_once(std::int64_t vocabulary) const override {
        return cuda::logit_rows_at_once(vocabulary);
    }

    /// As many as take two milliseconds: a launch and the copies before it cost the program some tens of
    /// microseconds, and the card about ten from one graph to the next. Planned, not measured: at half of
    /// what an H100 multiplies, and 2 us a kernel.
    std::int64_t steps_a_launch(double flops, std::int64_t ops) const override {
        if (launches_ == Launches::one_by_one) return 1;
        constexpr double flops_a_second = 4e14, seconds_a_kernel = 2e-6, worth = 2e-3, most = 64;
        const double seconds = flops / flops_a_second + static_cast<double>(ops) * seconds_a_kernel;
        return static_cast<std::int64_t>(
            std::bit_floor(static_cast<std::uint64_t>(std::clamp(worth / seconds, 1.0, most))));
    }

    std::function<void()> recorded(std::function<void()> work) override {
        if (launches_ == Launches::one_by_one) return work;
        return [this, recording = std::make_shared<Recording>(std::move(work), stream_)] {
            const UseScratch use(*this, recording->scratch());
            recording->run();
        };
    }

    std::unique_ptr<Stopwatch> stopwatch() override { return stopwatch_on(stream_, look_); }

    LinkOffer link_offer(bool first_rank) const override {
        LinkOffer offer = nccl_offer(first_rank);
        static_assert(sizeof properties_.uuid.bytes == sizeof offer.card);
        std::memcpy(offer.card.data(), properties_.uuid.bytes, sizeof offer.card);
        return offer;
    }
    std::unique_ptr<Links> link(LinkPlace place) override {
        return link_by_nccl(std::move(place), stream_, look_, cutting_links_);
    }

    Storage allocate(std::size_t bytes) override { return allocate_on_card(bytes); }
    void copy_in(void* destination, const void* host_source, std::size_t bytes) override {
        staging_.copy_in(destination, host_source, bytes, stream_, look_);
    }
    /// To memory that is not page-locked a copy blocks the call until it is done, and with it all that comes
    /// before it: so that is waited for first, where somebody looks.
    void copy_out(void* host_destination, const void* source, std::size_t bytes) override {
        if (bytes == 0) return;
        wait_for(stream_, look_);
        check(cudaMemcpyAsync(host_destination, source, bytes, cudaMemcpyDeviceToHost, stream_),
              "copying from the card");
        wait_for(stream_, look_);
    }
    std::int64_t scratch_bytes(std::int64_t rows, std::int64_t width,
                               std::int64_t vocabulary) const override {
        return Products::most_workspace_bytes + cuda::embedding_backward_bytes(rows, width, vocabulary) +
               cuda::rms_norm_backward_bytes(width);  // what was outgrown stays
    }
    void fill_zero(void* destination, std::size_t bytes) override {
        if (bytes == 0) return;
        check(cudaMemsetAsync(destination, 0, bytes, stream_), "clearing memory of the card");
    }

    void embedding(std::span<const TokenId> ids, ConstMatrix table, float scale, MutableMatrix out) override {
        assert(std::int64_t(ids.size()) == out.rows && table.columns == out.columns);
        cuda::embedding(card(), ids.data(), table, scale, out);
    }
    void embedding_backward(std::span<const TokenId> ids, ConstMatrix out_gradient, float scale,
                            MutableMatrix table_gradient, Write mode) override {
        assert(std::int64_t(ids.size()) == out_gradient.rows &&
               table_gradient.columns == out_gradient.columns);
        cuda::embedding_backward(card(), ids, out_gradient, scale, table_gradient, mode);
    }

    void rms_norm(ConstMatrix x, const float* gain, float epsilon, Activations out,
                  float* inverse_rms) override {
        assert(x.rows == out.rows && x.columns == out.columns && out.stride() == out.columns);
        cuda::rms_norm(card(), x, gain, epsilon, out, inverse_rms);
    }
    void rms_norm_backward(ConstMatrix out_gradient, ConstMatrix x, const float* gain,
                           const float* inverse_rms, MutableMatrix x_gradient, Write x_mode,
                           float* gain_gradient, Write gain_mode, Activations rounded) override {
        assert(x.size() == out_gradient.size() && x.size() == x_gradient.size());
        cuda::rms_norm_backward(card(), out_gradient, x, gain, inverse_rms, x_gradient, x_mode, gain_gradient,
                                gain_mode, rounded);
    }

    /// Float32 is multiplied as it stands; bfloat16 needs a rounded copy.
    PackedWeights pack_weights(ConstMatrix weights, Element element, float* packed) override {
        if (element == Element::float32) return {weights, element, nullptr};
        cuda::round(card(), weights, {packed, weights.rows, weights.columns, element});
        return {weights, element, packed};
    }
    /// One launch, however many there are; none where they are multiplied as they stand.
    void pack_weights_again(PackedCopies copies) override { cuda::pack_weights(card(), rounded(copies)); }
    std::int64_t packed_floats(std::int64_t outputs, std::int64_t inputs, Element element) const override {
        return element == Element::float32 ? 0 : floats_of(outputs, inputs, element);
    }

    void linear(ConstActivations x, PackedWeights weights, const float* addend, Activations out) override {
        assert(x.columns == weights.weights.columns && x.element == weights.element);
        assert(out.rows == x.rows && out.columns == weights.weights.rows);
        assert(addend == nullptr || out.element == Element::float32);
        products_.multiply(card(), {x}, {factor(weights), true}, addend, out);
    }
    void linear_backward_input(ConstActivations out_gradient, PackedWeights weights, Activations x_gradient,
                               Write mode) override {
        assert(out_gradient.columns == weights.weights.rows && out_gradient.element == weights.element);
        assert(x_gradient.rows == out_gradient.rows && x_gradient.columns == weights.weights.columns);
        assert(mode == Write::replace || x_gradient.element == Element::float32);
        products_.multiply(card(), {out_gradient}, {factor(weights)}, addend_of(x_gradient, mode),
                           x_gradient);
    }
    void linear_backward_weights(ConstActivations out_gradient, ConstActivations x,
                                 MutableMatrix weights_gradient, Write mode, float*) override {
        assert(out_gradient.rows == x.rows && out_gradient.element == x.element);
        assert(weights_gradient.rows == out_gradient.columns && weights_gradient.columns == x.columns);
        products_.multiply(card(), {out_gradient, true}, {x}, addend_of(weights_gradient, mode),
                           weights_gradient);
    }
    std::int64_t linear_workspace(std::int64_t, std::int64_t, std::int64_t, Element) const override {
        return 0;
    }

    void attention(ConstActivations qkv, RotaryTables rotary, AttentionShape shape, Activations out,
                   float* log_sum, float* workspace) override {
        assert(is_qkv(qkv, shape) && is_out(out, shape) && qkv.element == out.element);
        cuda::attention(card(), qkv, rotary, shape, out, log_sum, workspace);
    }
    void attention_backward(ConstActivations out_gradient, ConstActivations qkv, RotaryTables rotary,
                            ConstActivations out, const float* log_sum, AttentionShape shape,
                            Activations qkv_gradient, float* workspace) override {
        assert(is_out(out_gradient, shape) && is_qkv(qkv, shape) && is_out(out, shape) &&
               is_qkv(qkv_gradient, shape));
        cuda::attention_backward(card(), out_gradient, qkv, rotary, out, log_sum, shape, qkv_gradient,
                                 workspace);
    }
    std::int64_t attention_workspace(AttentionShape shape, Element element) const override {
        return cuda::attention_workspace(shape, element);
    }

    void swiglu(ConstActivations gate_up, Activations out) override {
        assert(gate_up.rows == out.rows && gate_up.columns == 2 * out.columns &&
               gate_up.element == out.element);
        cuda::swiglu(card(), gate_up, out);
    }
    void swiglu_backward(ConstActivations out_gradient, ConstActivations gate_up,
                         Activations gate_up_gradient) override {
        assert(gate_up.rows == out_gradient.rows && gate_up.columns == 2 * out_gradient.columns);
        assert(gate_up.element == out_gradient.element && gate_up_gradient.element == gate_up.element);
        cuda::swiglu_backward(card(), out_gradient, gate_up, gate_up_gradient);
    }

    void add(ConstMatrix a, ConstMatrix b, MutableMatrix out) override {
        assert(a.size() == out.size() && b.size() == out.size());
        cuda::add(card(), out.size(), a.data, b.data, out.data);
    }
    void round(ConstMatrix x, Activations out) override {
        assert(out.rows == x.rows && out.columns == x.columns && out.element == Element::bfloat16);
        cuda::round(card(), x, out);
    }

    void cross_entropy(ConstMatrix logits, std::span<const TokenId> targets, float logit_scale,
                       float* losses) override {
        assert(std::int64_t(targets.size()) == logits.rows);
        cuda::cross_entropy(card(), logits, targets.data(), logit_scale, losses);
    }
    void cross_entropy_gradient(MutableMatrix logits, std::span<const TokenId> targets, float logit_scale,
                                float loss_scale, float* losses, Activations logits_gradient) override {
        assert(std::int64_t(targets.size()) == logits.rows && logits_gradient.size() == logits.size());
        cuda::cross_entropy_gradient(card(), logits, targets.data(), logit_scale, loss_scale, losses,
                                     logits_gradient);
    }

    void accumulate(std::span<float> destination, std::span<const float> source) override {
        assert(destination.size() == source.size());
        cuda::add(card(), std::int64_t(source.size()), destination.data(), source.data(), destination.data());
    }
    void accumulate(std::span<double> destination, std::span<const double> source) override {
        assert(destination.size() == source.size());
        cuda::add(card(), std::int64_t(source.size()), destination.data(), source.data(), destination.data());
    }
    void add_sum(std::span<const float> values, double* total) override {
        cuda::add_sum(card(), values, total);
    }
    void add_sums_of_squares(std::span<const float> values, std::span<const Run> runs,
                             double* totals) override {
        cuda::add_sums_of_squares(card(), values, runs, totals);
    }
    void close_step(const double* loss_sum, const double* squares, const AdamWStep* step, StepRule rule,
                    Standing* standing) override {
        cuda::close_step(card(), loss_sum, squares, step, rule, standing);
    }
    void adamw(std::span<const Run> runs, const AdamWStep* steps, const Standing* standing,
               std::span<const float> gradient, std::span<float> weights, std::span<float> first_moment,
               std::span<float> second_moment, PackedCopies copies) override {
        assert(gradient.size() == weights.size() && first_moment.size() == weights.size() &&
               second_moment.size() == weights.size());
        cuda::adamw(card(), runs, steps, standing, gradient, weights.data(), first_moment.data(),
                    second_moment.data(), rounded(copies));
    }

  private:
    /// While it lives, ops take their scratch memory from elsewhere.
    class UseScratch {
      public:
        UseScratch(CudaBackend& backend, Scratch& scratch)
            : backend_(backend), before_(std::exchange(backend.scratch_in_use_, &scratch)) {}
        ~UseScratch() { backend_.scratch_in_use_ = before_; }
        UseScratch(const UseScratch&) = delete;
        UseScratch& operator=(const UseScratch&) = delete;

      private:
        CudaBackend& backend_;
        Scratch* before_;
    };

    Card card() { return {stream_, scratch_in_use_}; }
    int capability() const { return 10 * properties_.major + properties_.minor; }

    /// Those that are not multiplied as they stand.
    static std::span<const PackedWeights> rounded(PackedCopies copies) {
        return copies.element == Element::bfloat16 ? copies.matrices : std::span<const PackedWeights>();
    }
    static ConstActivations factor(const PackedWeights& weights) {
        const void* numbers = weights.element == Element::float32 ? weights.weights.data : weights.packed;
        return {numbers, weights.weights.rows, weights.weights.columns, weights.element};
    }
    static const float* addend_of(Activations out, Write mode) {
        return mode == Write::add ? static_cast<const float*>(out.data) : nullptr;
    }
    [[maybe_unused]] static bool is_qkv(ConstActivations matrix, const AttentionShape& shape) {
        return matrix.rows == shape.rows() && matrix.columns == 3 * shape.width();
    }
    [[maybe_unused]] static bool is_out(ConstActivations matrix, const AttentionShape& shape) {
        return matrix.rows == shape.rows() && matrix.columns == shape.width();
    }

    cudaDeviceProp properties_;
    Launches launches_;
    Look look_;  ///< of waits for the card
    Stream stream_;
    Staging staging_;
    Scratch scratch_, *scratch_in_use_ = &scratch_;
    Products products_;
    std::jthread cutting_links_;
};

}  // namespace

std::unique_ptr<Backend> make_backend(int device, Arithmetic arithmetic, Launches launches, Waits waits) {
    return std::make_unique<CudaBackend>(device, arithmetic, launches, waits);
}

}  // namespace isogrid::kernels::cuda

namespace isogrid::kernels {

std::unique_ptr<Backend> make_cuda_backend(int device) {
    return cuda::make_backend(device, cuda::Arithmetic::float32);
}

std::unique_ptr<Backend> make_cuda_backend_beside_others(int device) {
    return cuda::make_backend(device, cuda::Arithmetic::float32, cuda::Launches::recorded, cuda::Waits::naps);
}

}  // namespace isogrid::kernels
