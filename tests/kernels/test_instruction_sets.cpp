// What the instruction sets of the CPU backend share: bits above all.
#include <array>
#include <bit>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>

#include "kernels/instruction_set_names.hpp"
#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

/// Inputs and outputs on one backend, the same for the same seeds, and the bits of what came out.
class Trace {
  public:
    Trace(Backend& backend, Element element, std::int64_t rows, float size)
        : device(backend), element(element), rows(rows), size(size) {}

    Values values(std::int64_t count, std::uint32_t seed) const {
        Values some = random_values(count, seed);
        for (float& value : some)
            value *= size;
        return some;
    }
    ConstActivations held(std::int64_t columns, std::uint32_t seed) {
        return device.hold(exact(values(rows * columns, seed), element), rows, columns, element);
    }
    ConstMatrix floats(std::int64_t columns, std::uint32_t seed) {
        return {device.hold(values(rows * columns, seed)), rows, columns};
    }
    Activations written(std::int64_t columns) { return device.poisoned(rows, columns, element); }
    MutableMatrix written_floats(std::int64_t matrix_rows, std::int64_t columns) {
        return {device.poisoned(matrix_rows * columns), matrix_rows, columns};
    }
    /// All that is not a number counts as one.
    void keep(ConstActivations matrix) {
        Values numbers = device.read(matrix);
        for (float& number : numbers)
            if (std::isnan(number)) number = std::numeric_limits<float>::quiet_NaN();
        results.push_back(bits(numbers));
    }

    Device device;
    Element element;
    std::int64_t rows;
    float size;  ///< of the inputs
    std::vector<std::vector<std::uint32_t>> results;
};

/// A linear layer, its derivatives, and whatever numbers they may be written in or added to.
void run_products(Trace& trace, std::int64_t inputs, std::int64_t outputs) {
    Backend& backend = trace.device.backend;
    const std::int64_t rows = trace.rows;
    const PackedWeights weights =
        trace.device.pack(trace.values(outputs * inputs, 3), outputs, inputs, trace.element);
    const ConstActivations x = trace.held(inputs, 1), gradient = trace.held(outputs, 2);
    const MutableMatrix out = trace.written_floats(rows, outputs),
                        x_gradient = trace.written_floats(rows, inputs),
                        weights_gradient = trace.written_floats(outputs, inputs);
    float* workspace = trace.device.poisoned(backend.linear_workspace(rows, outputs, inputs, trace.element));
    for (const Write mode : {Write::replace, Write::add}) {
        backend.linear(x, weights, mode == Write::add ? out.data : nullptr, out);
        backend.linear_backward_input(gradient, weights, x_gradient, mode);
        backend.linear_backward_weights(gradient, x, weights_gradient, mode, workspace);
        for (const MutableMatrix& result : {out, x_gradient, weights_gradient})
            trace.keep(result);
    }
    if (outputs % 2 != 0 || inputs % 2 != 0) return;
    const Activations small_out = trace.written(outputs), small_x_gradient = trace.written(inputs);
    backend.linear(x, weights, nullptr, small_out);
    backend.linear_backward_input(gradient, weights, small_x_gradient, Write::replace);
    trace.keep(small_out);
    trace.keep(small_x_gradient);
}

void run_attention(Trace& trace, const AttentionShape& shape) {
    Backend& backend = trace.device.backend;
    Values cosines, sines;
    for (const float angle : random_values(shape.context * shape.head_width / 2, 2)) {
        cosines.push_back(std::cos(3 * angle));
        sines.push_back(std::sin(3 * angle));
    }
    const RotaryTables tables{trace.device.hold(cosines), trace.device.hold(sines)};
    const std::int64_t width = shape.width();
    const ConstActivations qkv = trace.held(3 * width, 1);
    const Activations out = trace.written(width), qkv_gradient = trace.written(3 * width);
    const MutableMatrix log_sum = trace.written_floats(shape.batch * shape.heads, shape.context);
    float* workspace = trace.device.poisoned(backend.attention_workspace(shape, trace.element));
    backend.attention(qkv, tables, shape, out, log_sum.data, workspace);
    backend.attention_backward(trace.held(width, 2), qkv, tables, out, log_sum.data, shape, qkv_gradient,
                               workspace);
    trace.keep(out);
    trace.keep(log_sum);
    trace.keep(qkv_gradient);
}

/// The ops that read each row apart, on rows of `width` and an odd vocabulary.
void run_rows(Trace& trace, std::int64_t width) {
    Backend& backend = trace.device.backend;
    const std::int64_t rows = trace.rows, vocabulary = width + 1;
    const Activations normed = trace.written(width), gated = trace.written(width),
                      gates = trace.written(2 * width);
    const MutableMatrix inverse = trace.written_floats(1, rows),
                        gain_gradient = trace.written_floats(1, width),
                        norm_gradient = trace.written_floats(rows, width);
    const float* gain = trace.device.hold(trace.values(width, 5));
    backend.rms_norm(trace.floats(width, 4), gain, 1e-5f, normed, inverse.data);
    backend.rms_norm_backward(trace.floats(width, 6), trace.floats(width, 4), gain, inverse.data,
                              norm_gradient, Write::replace, gain_gradient.data, Write::replace, {});
    backend.swiglu(trace.held(2 * width, 7), gated);
    backend.swiglu_backward(trace.held(width, 2), trace.held(2 * width, 7), gates);

    const auto ids = trace.device.hold(random_ids(rows, TokenId(vocabulary), 5));
    const MutableMatrix losses = trace.written_floats(1, rows), same_losses = trace.written_floats(1, rows);
    const ConstMatrix logits = trace.floats(vocabulary, 8);
    const Activations logits_gradient = trace.written(vocabulary);
    backend.cross_entropy(logits, ids, 3.0f, losses.data);
    backend.cross_entropy_gradient({trace.device.hold(trace.values(rows * vocabulary, 8)), rows, vocabulary},
                                   ids, 3.0f, 0.3f, same_losses.data, logits_gradient);

    const MutableMatrix embedded = trace.written_floats(rows, width),
                        table_gradient = trace.written_floats(vocabulary, width);
    backend.embedding(ids, {trace.device.hold(trace.values(vocabulary * width, 9)), vocabulary, width}, 1.7f,
                      embedded);
    backend.embedding_backward(ids, trace.floats(width, 6), 1.7f, table_gradient, Write::replace);
    for (const MutableMatrix& result :
         {inverse, gain_gradient, norm_gradient, losses, same_losses, embedded, table_gradient})
        trace.keep(result);
    for (const Activations& result : {normed, gated, gates, logits_gradient})
        trace.keep(result);
}

/// The ops that treat each number apart, and sums.
void run_numbers(Trace& trace, std::int64_t size) {
    Backend& backend = trace.device.backend;
    const std::size_t count = std::size_t(size);
    const auto held = [&](std::uint32_t seed) {
        return MutableMatrix{trace.device.hold(trace.values(size, seed)), 1, size};
    };
    const MutableMatrix a = held(1), b = held(2), total = trace.written_floats(1, size);
    const MutableMatrix weights = held(3), first = held(4),
                        second{trace.device.hold(absolute(trace.values(size, 5))), 1, size};
    backend.add(a, b, total);
    backend.accumulate({b.data, count}, {a.data, count});
    adamw(trace.device, {3, 0.1f, 0.9f, 0.95f, 1e-8f, 0.01f}, 0.5f, a.data, weights.data, first.data,
          second.data, size);
    const Activations small = trace.device.poisoned(1, size, Element::bfloat16);
    backend.round(a, small);
    for (const MutableMatrix& result : {total, b, weights, first, second})
        trace.keep(result);
    trace.keep(small);
    for (const double sum : {backend.sum({total.data, count}), backend.sum_of_squares({total.data, count})}) {
        const auto words = std::bit_cast<std::array<std::uint32_t, 2>>(sum);
        trace.results.emplace_back(words.begin(), words.end());
    }
}

/// All that run here give the bits of the first.
void expect_the_same_bits(Element element, std::int64_t rows, const std::vector<std::string>& names,
                          const std::function<void(Trace&)>& ops, float size = 1) {
    std::vector<std::vector<std::uint32_t>> expected;
    for (const std::string& name : names) {
        const auto backend = make_fast_backend(name);
        Trace trace(*backend, element, rows, size);
        ops(trace);
        if (name == names.front()) expected = trace.results;
        ASSERT_EQ(trace.results.size(), expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i)
            EXPECT_EQ(trace.results[i], expected[i])
                << "result " << i << " of size " << size << " in " << test::name(element) << " by " << name;
    }
}

/// All but those whose tiles sum products in an order of their own.
std::vector<std::string> names_that_multiply_alike(Element element) {
    std::vector<std::string> names = names_that_run_here();
    if (element == Element::bfloat16) std::erase(names, "amx");
    return names;
}

TEST(CpuBackend, allInstructionSetsGiveTheSameBits) {
    const std::vector<std::string> names = names_that_run_here();
    if (names.size() < 2) GTEST_SKIP() << "this processor runs one instruction set alone";
    for (const Element element : elements) {
        const std::vector<std::string> alike = names_that_multiply_alike(element);
        for (const AttentionShape& shape : {AttentionShape{2, 33, 3, 24, 0.2f},
                                            {1, 200, 1, 10, 0.3f},
                                            {1, 130, 2, 32, 0.2f},
                                            {3, 1, 1, 2, 0.7f}})
            expect_the_same_bits(element, shape.rows(), alike,
                                 [&](Trace& trace) { run_attention(trace, shape); });
        for (const std::int64_t width : {8, 18, 48, 130})
            expect_the_same_bits(element, 37, names, [&](Trace& trace) { run_rows(trace, width); });
    }
    for (const std::int64_t size : {1, 16, 37, 4099})
        expect_the_same_bits(Element::float32, 1, names, [&](Trace& trace) { run_numbers(trace, size); });
}

// The step at which a trial diverges is a result too.
TEST(CpuBackend, allInstructionSetsOverflowAlike) {
    const std::vector<std::string> names = names_that_run_here();
    if (names.size() < 2) GTEST_SKIP() << "this processor runs one instruction set alone";
    for (const float size : {1e5F, 1e10F, 1e19F, 1e30F, 3e38F}) {
        for (const Element element : elements) {
            const std::vector<std::string> alike = names_that_multiply_alike(element);
            const AttentionShape shape{2, 33, 3, 24, 0.2f};
            expect_the_same_bits(
                element, shape.rows(), alike, [&](Trace& trace) { run_attention(trace, shape); }, size);
            expect_the_same_bits(
                element, 37, names, [&](Trace& trace) { run_rows(trace, 48); }, size);
            expect_the_same_bits(
                element, 37, alike, [&](Trace& trace) { run_products(trace, 48, 130); }, size);
        }
        expect_the_same_bits(
            Element::float32, 1, names, [&](Trace& trace) { run_numbers(trace, 37); }, size);
    }
}

TEST(CpuBackend, productsOfAllInstructionSetsHaveTheSameBits) {
    for (const Element element : elements) {
        const std::vector<std::string> names = names_that_multiply_alike(element);
        for (const std::int64_t rows : {1, 3, 37, 512})
            for (const std::int64_t inputs : {8, element == Element::bfloat16 ? 18 : 17, 48, 130})
                for (const std::int64_t outputs : {8, 17, 48, 130})
                    expect_the_same_bits(element, rows, names,
                                         [&](Trace& trace) { run_products(trace, inputs, outputs); });
    }
}

TEST(CpuBackend, staysOnTheCallingThread) {
    const auto threads = [] {
        const std::filesystem::directory_iterator tasks("/proc/self/task");
        return std::distance(begin(tasks), end(tasks));
    };
    for (const std::string& name : names_that_run_here())
        for (const Element element : elements) {
            const auto before = threads();
            const auto backend = make_fast_backend(name);
            Device device(*backend);
            const PackedWeights weights = device.pack(Values(256 * 256, 1.0f), 256, 256, element);
            const MutableMatrix out{device.poisoned(2048 * 256), 2048, 256};
            backend->linear(device.hold(Values(2048 * 256, 1.0f), 2048, 256, element), weights, nullptr, out);
            EXPECT_EQ(threads(), before) << name;
            EXPECT_EQ(device.read(out.data, 2048 * 256), Values(2048 * 256, 256.0f)) << name;
        }
}

TEST(CpuBackend, namesWhatItRunsOn) {
    for (const std::string& name : names_that_run_here()) {
        const auto backend = make_fast_backend(name);
        EXPECT_EQ(backend->name(), "cpu");
        EXPECT_EQ(backend->instruction_set(), name);
        EXPECT_TRUE(backend->multiplies_natively(Element::float32));
        EXPECT_EQ(backend->multiplies_natively(Element::bfloat16), name != "avx2" && name != "avx512");
    }
}

}  // namespace

}  // namespace isogrid::kernels::test
