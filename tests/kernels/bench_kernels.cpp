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

constexpr const char* name_of(Element element) {
    return element == Element::bfloat16 ? "bfloat16" : "float32";
}

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
    Activations activations(std::int64_t matrix_rows, std::int64_t columns, Element element) {
        const MutableMatrix numbers = matrix(matrix_rows, columns);
        if (element == Element::float32) return numbers;
        const Activations rounded{take(floats_of(matrix_rows, columns, element)), matrix_rows, columns,
                                  element};
        backend_.round(numbers, rounded);
        return rounded;
    }
    PackedWeights packed(std::int64_t outputs, std::int64_t inputs, Element element) {
        return backend_.pack_weights(matrix(outputs, inputs), element,
                                     take(backend_.packed_floats(outputs, inputs, element)));
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

using Body = void (*)(benchmark::State&, Backend&, std::int64_t width, Element element);

template <std::int64_t outputs_a_width, std::int64_t outputs_more>
void linear(benchmark::State& state, Backend& backend, std::int64_t width, Element element) {
    const std::int64_t outputs = outputs_a_width * width + outputs_more;
    Arrays arrays(backend);
    const auto x = arrays.activations(rows, width, element), out = arrays.activations(rows, outputs, element);
    const PackedWeights weights = arrays.packed(outputs, width, element);
    measure(state, 2.0 * rows * width * outputs, [&] { backend.linear(x, weights, nullptr, out); });
}

void linear_backward_input(benchmark::State& state, Backend& backend, std::int64_t width, Element element) {
    Arrays arrays(backend);
    const auto gradient = arrays.activations(rows, width, element),
               x_gradient = arrays.activations(rows, width, element);
    const PackedWeights weights = arrays.packed(width, width, element);
    measure(state, 2.0 * rows * width * width,
            [&] { backend.linear_backward_input(gradient, weights, x_gradient, Write::replace); });
}

void linear_backward_weights(benchmark::State& state, Backend& backend, std::int64_t width, Element element) {
    Arrays arrays(backend);
    const auto gradient = arrays.activations(rows, width, element),
               x = arrays.activations(rows, width, element);
    const auto weights_gradient = arrays.matrix(width, width);
    float* workspace = arrays.take(backend.linear_workspace(rows, width, width, element));
    measure(state, 2.0 * rows * width * width, [&] {
        backend.linear_backward_weights(gradient, x, weights_gradient, Write::replace, workspace);
    });
}

void pack_weights(benchmark::State& state, Backend& backend, std::int64_t width, Element element) {
    Arrays arrays(backend);
    const auto weights = arrays.matrix(width, width);
    float* packed = arrays.take(backend.packed_floats(width, width, element));
    measure(state, double(weights.size()), [&] { backend.pack_weights(weights, element, packed); });
}

/// Operations of the two products of the forward pass over the unmasked half: 2 x 2 x head_width a pair.
double attention_work(std::int64_t width) {
    return 4.0 * rows * (context + 1) / 2 * width;
}

/// Attention's operands, after a forward pass.
template <std::int64_t head_width>
struct AttentionArrays {
    AttentionArrays(Backend& chosen, std::int64_t width, Element element)
        : backend(chosen),
          arrays(chosen),
          shape{rows / context, context, width / head_width, head_width, 0.25f},
          qkv(arrays.activations(rows, 3 * width, element)),
          out(arrays.activations(rows, width, element)),
          gradient(arrays.activations(rows, width, element)),
          qkv_gradient(arrays.activations(rows, 3 * width, element)),
          tables{arrays.take(context * head_width / 2), arrays.take(context * head_width / 2)},
          log_sum(arrays.take(rows * shape.heads)),
          workspace(arrays.take(backend.attention_workspace(shape, element))) {
        forward();
    }
    void forward() { backend.attention(qkv, tables, shape, out, log_sum, workspace); }
    void backward() {
        backend.attention_backward(gradient, qkv, tables, out, log_sum, shape, qkv_gradient, workspace);
    }

    Backend& backend;
    Arrays arrays;
    AttentionShape shape;
    Activations qkv, out, gradient, qkv_gradient;
    RotaryTables tables;
    float *log_sum, *workspace;
};

template <std::int64_t head_width>
void attention(benchmark::State& state, Backend& backend, std::int64_t width, Element element) {
    AttentionArrays<head_width> arrays(backend, width, element);
    measure(state, attention_work(width), [&] { arrays.forward(); });
}

template <std::int64_t head_width>
void attention_backward(benchmark::State& state, Backend& backend, std::int64_t width, Element element) {
    AttentionArrays<head_width> arrays(backend, width, element);
    measure(state, 2.5 * attention_work(width), [&] { arrays.backward(); });
}

void rms_norm(benchmark::State& state, Backend& backend, std::int64_t width, Element element) {
    Arrays arrays(backend);
    const auto x = arrays.matrix(rows, width);
    const auto out = arrays.activations(rows, width, element);
    float *gain = arrays.take(width), *inverse = arrays.take(rows);
    measure(state, double(x.size()), [&] { backend.rms_norm(x, gain, 1e-5f, out, inverse); });
}

void rms_norm_backward(benchmark::State& state, Backend& backend, std::int64_t width, Element) {
    Arrays arrays(backend);
    const auto x = arrays.matrix(rows, width), gradient = arrays.matrix(rows, width),
               x_gradient = arrays.matrix(rows, width);
    float *gain = arrays.take(width), *gain_gradient = arrays.take(width), *inverse = arrays.take(rows);
    measure(state, double(x.size()), [&] {
        backend.rms_norm_backward(gradient, x, gain, inverse, x_gradient, Write::replace, gain_gradient,
                                  Write::replace, {});
    });
}

void swiglu(benchmark::State& state, Backend& backend, std::int64_t width, Element element) {
    Arrays arrays(backend);
    const auto gate_up = arrays.activations(rows, 2 * width, element),
               out = arrays.activations(rows, width, element);
    measure(state, double(out.size()), [&] { backend.swiglu(gate_up, out); });
}

void swiglu_backward(benchmark::State& state, Backend& backend, std::int64_t width, Element element) {
    Arrays arrays(backend);
    const auto gate_up = arrays.activations(rows, 2 * width, element),
               gradient = arrays.activations(rows, width, element),
               gate_up_gradient = arrays.activations(rows, 2 * width, element);
    measure(state, double(gradient.size()),
            [&] { backend.swiglu_backward(gradient, gate_up, gate_up_gradient); });
}

void embedding(benchmark::State& state, Backend& backend, std::int64_t width, Element) {
    Arrays arrays(backend);
    const auto table = arrays.matrix(vocabulary, width), out = arrays.matrix(rows, width);
    const auto ids = arrays.ids(rows);
    measure(state, double(out.size()), [&] { backend.embedding(ids, table, 1, out); });
}

void embedding_backward(benchmark::State& state, Backend& backend, std::int64_t width, Element) {
    Arrays arrays(backend);
    const auto table = arrays.matrix(vocabulary, width), gradient = arrays.matrix(rows, width);
    const auto ids = arrays.ids(rows);
    measure(state, double(gradient.size()),
            [&] { backend.embedding_backward(ids, gradient, 1, table, Write::replace); });
}

/// `width` is the vocabulary here.
void cross_entropy(benchmark::State& state, Backend& backend, std::int64_t width, Element) {
    Arrays arrays(backend);
    const auto logits = arrays.matrix(rows, width);
    std::vector<TokenId> targets(rows, 1);
    float* losses = arrays.take(rows);
    measure(state, double(logits.size()), [&] { backend.cross_entropy(logits, targets, 1, losses); });
}

void cross_entropy_gradient(benchmark::State& state, Backend& backend, std::int64_t width, Element element) {
    Arrays arrays(backend);
    const auto logits = arrays.matrix(rows, width);
    const auto gradient = arrays.activations(rows, width, element);
    std::vector<TokenId> targets(rows, 1);
    float* losses = arrays.take(rows);
    measure(state, double(logits.size()),
            [&] { backend.cross_entropy_gradient(logits, targets, 1, 1, losses, gradient); });
}

/// The parameters of one matrix (4 width, width).
void adamw(benchmark::State& state, Backend& backend, std::int64_t width, Element) {
    Arrays arrays(backend);
    const std::size_t size = 4 * width * width;
    const std::span<float> gradient(arrays.take(size), size), weights(arrays.take(size), size);
    const std::vector<float> zero(size);
    const std::span<float> first(arrays.take(size), size), second(arrays.take(size), size);
    backend.copy_in(second.data(), zero.data(), size * sizeof(float));
    const Run whole{0, std::int64_t(size), 0};
    const AdamWStep step{10, 1e-3f, 0.9f, 0.95f, 1e-8f, 1e-4f};
    const Standing standing;
    const auto held = [&](const auto& value) {
        const Storage storage = backend.allocate(sizeof value);
        backend.copy_in(storage.get(), &value, sizeof value);
        return storage;
    };
    const Storage runs = held(whole), steps = held(step), stands = held(standing);
    measure(state, double(size), [&] {
        backend.adamw({reinterpret_cast<const Run*>(runs.get()), 1},
                      reinterpret_cast<const AdamWStep*>(steps.get()),
                      reinterpret_cast<const Standing*>(stands.get()), gradient, weights, first, second, {});
    });
}

void add(benchmark::State& state, Backend& backend, std::int64_t width, Element) {
    Arrays arrays(backend);
    const auto a = arrays.matrix(rows, width), b = arrays.matrix(rows, width),
               out = arrays.matrix(rows, width);
    measure(state, double(out.size()), [&] { backend.add(a, b, out); });
}

void accumulate(benchmark::State& state, Backend& backend, std::int64_t width, Element) {
    Arrays arrays(backend);
    const std::size_t size = 4 * width * width;
    const std::span<float> total(arrays.take(size), size), source(arrays.take(size), size);
    measure(state, double(size), [&] { backend.accumulate(total, source); });
}

void round_numbers(benchmark::State& state, Backend& backend, std::int64_t width, Element element) {
    Arrays arrays(backend);
    const auto x = arrays.matrix(rows, width);
    const auto out = arrays.activations(rows, width, element);
    measure(state, double(x.size()), [&] { backend.round(x, out); });
}

void sum(benchmark::State& state, Backend& backend, std::int64_t width, Element) {
    Arrays arrays(backend);
    const std::size_t size = 4 * width * width;
    const std::span<const float> values(arrays.take(size), size);
    measure(state, double(size), [&] { benchmark::DoNotOptimize(backend.sum(values)); });
}

void sum_of_squares(benchmark::State& state, Backend& backend, std::int64_t width, Element) {
    Arrays arrays(backend);
    const std::size_t size = 4 * width * width;
    const std::span<const float> values(arrays.take(size), size);
    measure(state, double(size), [&] { benchmark::DoNotOptimize(backend.sum_of_squares(values)); });
}

void register_all(const std::string& name, std::shared_ptr<Backend> backend,
                  const std::vector<std::int64_t>& widths) {
    const auto measured = [&](const std::string& op, Body body, const std::vector<std::int64_t>& sizes,
                              const std::vector<Element>& elements = {Element::float32}) {
        for (const std::int64_t size : sizes)
            for (const Element element : elements)
                benchmark::RegisterBenchmark(
                    (op + "/" + std::to_string(size) + "/" + name_of(element) + "/" + name).c_str(),
                    [=](benchmark::State& state) { body(state, *backend, size, element); })
                    ->MinTime(0.02);
    };
    const std::vector<Element> both{Element::float32, Element::bfloat16};
    measured("linear", linear<1, 0>, widths, both);
    measured("linear_head", linear<0, vocabulary>, widths, both);
    measured("linear_mlp", linear<0, 1376>, {512}, both);
    measured("linear_backward_input", linear_backward_input, widths, both);
    measured("linear_backward_weights", linear_backward_weights, widths, both);
    measured("pack_weights", pack_weights, widths, both);
    measured("attention_of_16", attention<16>, widths, both);
    measured("attention_of_32", attention<32>, widths, both);
    measured("attention_backward_of_16", attention_backward<16>, widths, both);
    measured("attention_backward_of_32", attention_backward<32>, widths, both);
    measured("rms_norm", rms_norm, widths, both);
    measured("rms_norm_backward", rms_norm_backward, widths);
    measured("swiglu", swiglu, widths, both);
    measured("swiglu_backward", swiglu_backward, widths, both);
    measured("embedding", embedding, widths);
    measured("embedding_backward", embedding_backward, widths);
    measured("cross_entropy", cross_entropy, {vocabulary});
    measured("cross_entropy_gradient", cross_entropy_gradient, {vocabulary}, both);
    measured("adamw", adamw, widths);
    measured("add", add, widths);
    measured("accumulate", accumulate, widths);
    measured("round", round_numbers, widths, {Element::bfloat16});
    measured("sum", sum, widths);
    measured("sum_of_squares", sum_of_squares, widths);
}

}  // namespace

int main(int argc, char** argv) {
    register_all("reference", make_reference_backend(), {64});
    for (const cpu::InstructionSet instruction_set : cpu::instruction_sets)
        if (cpu::supported(instruction_set))
            register_all(std::string(cpu::name(instruction_set)), cpu::make_backend(instruction_set),
                         {64, 128, 256});
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
