// GFLOP/s (for elementwise ops: billions of numbers a second) of each op at a proxy's sizes, on each backend.
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "kernels/cpu/cpu_backend.hpp"

namespace {

using namespace isogrid::kernels;

constexpr std::int64_t rows = 512, context = 128, vocabulary = 256;

/// Arrays of one benchmark, filled with numbers even in [-1, 1).
class Arrays {
  public:
    explicit Arrays(Backend& backend) : backend_(backend) {}

    float* take(std::int64_t count) {
        storage_.push_back(backend_.allocate(count * sizeof(float)));
        auto* values = reinterpret_cast<float*>(storage_.back().get());
        for (std::int64_t i = 0; i < count; ++i)
            values[i] = static_cast<float>(generator_() >> 8) * 0x1p-23f - 1;
        return values;
    }
    MutableMatrix matrix(std::int64_t matrix_rows, std::int64_t columns) {
        return {take(matrix_rows * columns), matrix_rows, columns};
    }
    std::vector<TokenId> ids(std::int64_t count) {
        std::vector<TokenId> values(count);
        for (TokenId& value : values)
            value = static_cast<TokenId>(generator_() % vocabulary);
        return values;
    }

  private:
    Backend& backend_;
    std::vector<Storage> storage_;
    std::mt19937 generator_{1};
};

/// Runs `op` for as long as the benchmark asks and reports `work` (operations or numbers) a second.
template <class Op>
void measure(benchmark::State& state, double work, Op op) {
    op();  // the first call compiles and allocates
    for (auto _ : state) {
        op();
        benchmark::ClobberMemory();
    }
    state.counters["G/s"] = benchmark::Counter(work * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

using Body = void (*)(benchmark::State&, Backend&, std::int64_t width);

void linear(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const auto x = arrays.matrix(rows, width), weights = arrays.matrix(width, width),
               out = arrays.matrix(rows, width);
    measure(state, 2.0 * rows * width * width, [&] { backend.linear(x, weights, 1, out, Write::replace); });
}

void linear_head(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const auto x = arrays.matrix(rows, width), weights = arrays.matrix(vocabulary, width);
    const auto out = arrays.matrix(rows, vocabulary);
    measure(state, 2.0 * rows * width * vocabulary,
            [&] { backend.linear(x, weights, 1, out, Write::replace); });
}

void linear_backward_input(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const auto gradient = arrays.matrix(rows, width), weights = arrays.matrix(width, width);
    const auto x_gradient = arrays.matrix(rows, width);
    measure(state, 2.0 * rows * width * width,
            [&] { backend.linear_backward_input(gradient, weights, 1, x_gradient, Write::replace); });
}

void linear_backward_weights(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const auto gradient = arrays.matrix(rows, width), x = arrays.matrix(rows, width);
    const auto weights_gradient = arrays.matrix(width, width);
    measure(state, 2.0 * rows * width * width,
            [&] { backend.linear_backward_weights(gradient, x, 1, weights_gradient, Write::replace); });
}

/// Operations of the two products of the forward pass over the unmasked half: 2 x 2 x head_width a pair.
double attention_work(std::int64_t width) {
    return 4.0 * rows * (context + 1) / 2 * width;
}

template <std::int64_t head_width>
void attention(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const AttentionShape shape{rows / context, context, width / head_width, head_width, 0.25f};
    const auto q = arrays.matrix(rows, width), k = arrays.matrix(rows, width), v = arrays.matrix(rows, width);
    const auto out = arrays.matrix(rows, width);
    float *log_sum = arrays.take(rows * shape.heads),
          *workspace = arrays.take(backend.attention_workspace(shape));
    measure(state, attention_work(width),
            [&] { backend.attention(q, k, v, shape, out, log_sum, workspace); });
}

template <std::int64_t head_width>
void attention_backward(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const AttentionShape shape{rows / context, context, width / head_width, head_width, 0.25f};
    const auto q = arrays.matrix(rows, width), k = arrays.matrix(rows, width), v = arrays.matrix(rows, width);
    const auto out = arrays.matrix(rows, width), gradient = arrays.matrix(rows, width);
    const auto dq = arrays.matrix(rows, width), dk = arrays.matrix(rows, width),
               dv = arrays.matrix(rows, width);
    float *log_sum = arrays.take(rows * shape.heads),
          *workspace = arrays.take(backend.attention_workspace(shape));
    backend.attention(q, k, v, shape, out, log_sum, workspace);
    measure(state, 2.5 * attention_work(width), [&] {
        backend.attention_backward(gradient, q, k, v, out, log_sum, shape, dq, dk, dv, workspace);
    });
}

void rms_norm(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const auto x = arrays.matrix(rows, width), out = arrays.matrix(rows, width);
    float *gain = arrays.take(width), *inverse = arrays.take(rows);
    measure(state, double(x.size()), [&] { backend.rms_norm(x, gain, 1e-5f, out, inverse); });
}

void rms_norm_backward(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const auto x = arrays.matrix(rows, width), gradient = arrays.matrix(rows, width),
               x_gradient = arrays.matrix(rows, width);
    float *gain = arrays.take(width), *gain_gradient = arrays.take(width), *inverse = arrays.take(rows);
    measure(state, double(x.size()), [&] {
        backend.rms_norm_backward(gradient, x, gain, inverse, x_gradient, Write::replace, gain_gradient,
                                  Write::replace);
    });
}

template <std::int64_t head_width>
void rotary(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const auto x = arrays.matrix(rows, width), out = arrays.matrix(rows, width);
    float *cosines = arrays.take(context * head_width / 2), *sines = arrays.take(context * head_width / 2);
    measure(state, double(x.size()), [&] {
        backend.rotary(x, cosines, sines, {context, width / head_width, head_width}, false, out);
    });
}

void swiglu(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const auto gate = arrays.matrix(rows, width), up = arrays.matrix(rows, width),
               out = arrays.matrix(rows, width);
    measure(state, double(out.size()), [&] { backend.swiglu(gate, up, out); });
}

void swiglu_backward(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const auto gate = arrays.matrix(rows, width), up = arrays.matrix(rows, width),
               gradient = arrays.matrix(rows, width);
    const auto gate_gradient = arrays.matrix(rows, width), up_gradient = arrays.matrix(rows, width);
    measure(state, double(gate.size()),
            [&] { backend.swiglu_backward(gradient, gate, up, gate_gradient, up_gradient); });
}

void embedding(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const auto table = arrays.matrix(vocabulary, width), out = arrays.matrix(rows, width);
    const auto ids = arrays.ids(rows);
    measure(state, double(out.size()), [&] { backend.embedding(ids, table, 1, out); });
}

void embedding_backward(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const auto table = arrays.matrix(vocabulary, width), gradient = arrays.matrix(rows, width);
    const auto ids = arrays.ids(rows);
    measure(state, double(gradient.size()),
            [&] { backend.embedding_backward(ids, gradient, 1, table, Write::replace); });
}

/// `width` is the vocabulary here.
void cross_entropy(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const auto logits = arrays.matrix(rows, width);
    std::vector<TokenId> targets(rows, 1);
    float *losses = arrays.take(rows), *log_sum = arrays.take(rows);
    measure(state, double(logits.size()), [&] { backend.cross_entropy(logits, targets, losses, log_sum); });
}

void cross_entropy_backward(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const auto logits = arrays.matrix(rows, width), gradient = arrays.matrix(rows, width);
    std::vector<TokenId> targets(rows, 1);
    float *losses = arrays.take(rows), *log_sum = arrays.take(rows);
    backend.cross_entropy(logits, targets, losses, log_sum);
    measure(state, double(logits.size()),
            [&] { backend.cross_entropy_backward(logits, targets, log_sum, 1, gradient); });
}

/// The parameters of one matrix (4 width, width).
void adamw(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const std::size_t size = 4 * width * width;
    const std::span<float> gradient(arrays.take(size), size), weights(arrays.take(size), size);
    const std::vector<float> zero(size);
    const std::span<float> first(arrays.take(size), size), second(arrays.take(size), size);
    backend.copy_in(second.data(), zero.data(), size * sizeof(float));
    measure(state, double(size), [&] {
        backend.adamw({10, 1e-3f, 0.9f, 0.95f, 1e-8f, 1e-4f, 1}, gradient, weights, first, second);
    });
}

void sum_of_squares(benchmark::State& state, Backend& backend, std::int64_t width) {
    Arrays arrays(backend);
    const std::size_t size = 4 * width * width;
    const std::span<const float> values(arrays.take(size), size);
    measure(state, double(size), [&] { benchmark::DoNotOptimize(backend.sum_of_squares(values)); });
}

void register_all(const std::string& name, std::shared_ptr<Backend> backend) {
    const auto add = [&](const std::string& op, Body body, std::vector<std::int64_t> widths) {
        for (const std::int64_t width : widths)
            benchmark::RegisterBenchmark((op + "/" + std::to_string(width) + "/" + name).c_str(),
                                         [=](benchmark::State& state) { body(state, *backend, width); })
                ->MinTime(0.02);
    };
    const std::vector<std::int64_t> widths{32, 64, 128};
    add("linear", linear, widths);
    add("linear_head", linear_head, widths);
    add("linear_backward_input", linear_backward_input, widths);
    add("linear_backward_weights", linear_backward_weights, widths);
    add("attention_of_8", attention<8>, widths);
    add("attention_of_16", attention<16>, widths);
    add("attention_backward_of_8", attention_backward<8>, widths);
    add("attention_backward_of_16", attention_backward<16>, widths);
    add("rms_norm", rms_norm, widths);
    add("rms_norm_backward", rms_norm_backward, widths);
    add("rotary_of_8", rotary<8>, widths);
    add("rotary_of_16", rotary<16>, widths);
    add("swiglu", swiglu, widths);
    add("swiglu_backward", swiglu_backward, widths);
    add("embedding", embedding, widths);
    add("embedding_backward", embedding_backward, widths);
    add("cross_entropy", cross_entropy, {vocabulary});
    add("cross_entropy_backward", cross_entropy_backward, {vocabulary});
    add("adamw", adamw, widths);
    add("sum_of_squares", sum_of_squares, widths);
}

}  // namespace

int main(int argc, char** argv) {
    using isogrid::kernels::cpu::InstructionSet;
    register_all("reference", make_reference_backend());
    if (cpu::supported(InstructionSet::avx2)) register_all("avx2", cpu::make_backend(InstructionSet::avx2));
    if (cpu::supported(InstructionSet::avx512))
        register_all("avx512", cpu::make_backend(InstructionSet::avx512));
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
