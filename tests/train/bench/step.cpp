#include "train/bench/step.hpp"

#include <algorithm>
#include <bit>
#include <random>
#include <stdexcept>

#include "kernels/cpu/cpu_backend.hpp"
#include "model/llama.hpp"
#include "train/blocks.hpp"

namespace isogrid::bench {
namespace {

/// Batches that take turns, so that no step finds its tokens learned by heart.
constexpr std::int64_t batches = 8;

constexpr float learning_rate = 3e-4f, weight_decay = 0.1f, largest_norm = 1.0f;

std::vector<data::Token> made_up_tokens(std::int64_t count, std::int64_t vocabulary) {
    std::mt19937 generator(1);
    std::vector<data::Token> tokens(static_cast<std::size_t>(count));
    for (data::Token& token : tokens)
        token = static_cast<data::Token>(generator() % static_cast<std::uint64_t>(vocabulary));
    return tokens;
}

/// Within [-1, 1], whether they are read as float32 or in pairs as bfloat16: both halves of each are the same
/// bits.
kernels::Storage made_up_numbers(std::int64_t count, kernels::Backend& backend) {
    std::mt19937 generator(1);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) {
        const auto upper =
            std::bit_cast<std::uint32_t>(static_cast<float>(generator() >> 8) * 0x1p-23f - 1) >> 16;
        value = std::bit_cast<float>(upper << 16 | upper);
    }
    kernels::Storage storage = backend.allocate(values.size() * sizeof(float));
    backend.copy_in(storage.get(), values.data(), values.size() * sizeof(float));
    return storage;
}

}  // namespace

namespace {

/// The trial that trains such a model, all its batch in one leaf.
study::Trial trial_of(const BenchShape& shape, std::string_view precision) {
    if (!trains_in(precision)) throw std::runtime_error("cannot train in " + std::string(precision));
    study::Trial trial;
    trial.shape = shape.shape;
    trial.batch = shape.batch;
    trial.precision = *std::find_if(study::precisions.begin(), study::precisions.end(),
                                    [&](study::Precision known) { return name(known) == precision; });
    return trial;
}

}  // namespace

bool trains_in(std::string_view precision) {
    return std::any_of(study::precisions.begin(), study::precisions.end(),
                       [&](study::Precision known) { return name(known) == precision; });
}

std::unique_ptr<kernels::Backend> make_backend(std::string_view instruction_set) {
    if (instruction_set.empty()) return kernels::make_cpu_backend();
    for (const kernels::cpu::InstructionSet known : kernels::cpu::instruction_sets)
        if (kernels::cpu::name(known) == instruction_set) return kernels::cpu::make_backend(known);
    throw std::runtime_error("no instruction set '" + std::string(instruction_set) +
                             "' (the CPU backend has none of that name) leave --isa out for the best");
}

/// What a step is told and leaves, in the backend's memory.
struct Numbers {
    kernels::Run whole;
    kernels::AdamWStep step;
    kernels::Standing standing;
    double loss, squares;
};

struct Training::State {
    State(const BenchShape& shape, std::string_view precision, kernels::Backend& chosen)
        : backend(chosen),
          trial(trial_of(shape, precision)),
          blocks(train::training_graph(trial, backend), backend),
          float_count(blocks.program().layout().floats),
          memory(backend.allocate(4 * static_cast<std::size_t>(float_count) * sizeof(float))),
          windows(trial.batch, trial.shape.context, backend),
          numbers(backend.allocate(sizeof(Numbers))),
          at(reinterpret_cast<Numbers*>(numbers.get())),
          tensors(backend.allocate(blocks.program().layout().sizes.size() * sizeof(kernels::Run))),
          rows(shape.tokens_per_step()),
          tokens(made_up_tokens(batches * rows + 1, shape.shape.vocabulary)) {
        const std::vector<float> initial = model::initial_weights(
            model::build_forward(trial.shape, trial.parametrization, trial.precision, 1).roles,
            blocks.program().layout(), trial.shape, trial.parametrization, /*seed=*/1);
        backend.fill_zero(memory.get(), 4 * static_cast<std::size_t>(float_count) * sizeof(float));
        backend.copy_in(weights().data(), initial.data(), initial.size() * sizeof(float));
        pack();
        const Numbers told{{0, float_count, 0}, {}, {}, 0, 0};
        backend.copy_in(at, &told, sizeof told);
        std::vector<kernels::Run> runs;
        for (std::size_t i = 0; i < layout().sizes.size(); ++i)
            runs.push_back({layout().offsets[i], layout().sizes[i], 0});
        backend.copy_in(tensors.get(), runs.data(), runs.size() * sizeof(kernels::Run));
        whole = backend.recorded([this] {
            run_program();
            take_norm();
            update(blocks.program().parameters()->copies());
        });
    }

    void tell() {
        const std::int64_t first = steps++ % batches * rows;
        windows.fill(tokens, [&](std::int64_t sequence) { return first + sequence * trial.shape.context; });
        const kernels::AdamWStep step{.step = steps,
                                      .learning_rate = learning_rate,
                                      .beta1 = 0.9f,
                                      .beta2 = 0.95f,
                                      .epsilon = 1e-8f,
                                      .decay = learning_rate * weight_decay};
        backend.copy_in(&at->step, &step, sizeof step);
    }
    void run_program() {
        backend.fill_zero(&at->loss, 2 * sizeof(double));  // and the squares
        blocks.run(windows, 0, trial.batch, gradient(), &at->loss);
    }
    void take_norm() {
        backend.add_sums_of_squares(gradient(), {&at->whole, 1}, &at->squares);
        backend.close_step(
            &at->loss, &at->squares, &at->step,
            {.tokens = static_cast<double>(trial.tokens_per_step()), .gradient_clip = largest_norm},
            &at->standing);
    }
    void update(kernels::PackedCopies copies) {
        backend.adamw({reinterpret_cast<const kernels::Run*>(tensors.get()), layout().sizes.size()},
                      &at->step, &at->standing, gradient(), weights(), flat(2), flat(3), copies);
    }
    const graph::ParameterLayout& layout() const { return blocks.program().layout(); }
    std::span<float> flat(std::int64_t index) {
        return {reinterpret_cast<float*>(memory.get()) + index * float_count,
                static_cast<std::size_t>(float_count)};
    }
    std::span<float> weights() { return flat(0); }
    std::span<float> gradient() { return flat(1); }
    void pack() { blocks.program().parameters()->pack(weights()); }

    kernels::Backend& backend;
    study::Trial trial;
    train::Blocks blocks;
    std::int64_t float_count;  ///< of all weights
    kernels::Storage memory;   ///< weights, gradient, first moment, second moment
    train::Windows windows;
    kernels::Storage numbers;
    Numbers* at;
    kernels::Storage tensors;  ///< where each of them lies
    std::int64_t rows, steps = 0;
    std::vector<data::Token> tokens;
    std::function<void()> whole;
};

Training::Training(const BenchShape& shape, std::string_view precision, kernels::Backend& backend)
    : state_(std::make_unique<State>(shape, precision, backend)) {}

Training::~Training() = default;

void Training::step() {
    state_->tell();
    state_->whole();
}

void Training::wait() {
    kernels::Standing standing;
    state_->backend.copy_out(&standing, &state_->at->standing, sizeof standing);
}

void Training::timed_step(Seconds& seconds) {
    graph::OpSeconds by_op;
    state_->blocks.program().time_ops(&by_op);
    const auto stopwatch = state_->backend.stopwatch();
    stopwatch->mark();
    state_->tell();
    state_->run_program();
    stopwatch->mark();
    state_->take_norm();
    stopwatch->mark();
    // On a card AdamW rounds what it writes for the products; on processors they are packed after it.
    const bool packs = state_->backend.on_host();
    state_->update(packs ? kernels::PackedCopies{} : state_->blocks.program().parameters()->copies());
    stopwatch->mark();
    if (packs) state_->pack();
    stopwatch->mark();
    state_->blocks.program().time_ops(nullptr);
    const std::vector<double> laps = stopwatch->laps();
    seconds["gradient norm"] += laps[1];
    seconds["adamw"] += laps[2];
    seconds["pack weights"] += laps[3];
    seconds[all] += laps[0] + laps[1] + laps[2] + laps[3];
    for (const auto& [op, spent] : by_op)
        seconds[std::string(op)] += spent;
}

std::vector<Product> products_of(const BenchShape& shape, std::string_view precision,
                                 kernels::Backend& backend) {
    using kernels::Activations, kernels::Element, kernels::PackedWeights, kernels::Write;
    struct Size {
        std::int64_t inputs, outputs, count;
    };
    const study::Trial trial = trial_of(shape, precision);
    const Element element = model::element_of(trial.precision);
    const std::int64_t width = trial.shape.width, hidden = trial.shape.mlp_width, layers = trial.shape.depth;
    const std::int64_t rows = train::block_sequences(trial, backend) * trial.shape.context;
    const std::int64_t times = shape.tokens_per_step() / rows;
    std::vector<Product> products;
    for (const auto& [inputs, outputs, count] : {Size{width, 3 * width, layers},
                                                 {width, width, layers},
                                                 {width, 2 * hidden, layers},
                                                 {hidden, width, layers},
                                                 {width, trial.shape.vocabulary, 1}}) {
        const kernels::Storage x = made_up_numbers(rows * inputs, backend),
                               weights = made_up_numbers(outputs * inputs, backend),
                               gradient = made_up_numbers(outputs * inputs, backend),
                               out = made_up_numbers(rows * outputs, backend),
                               packed = backend.allocate(4 * static_cast<std::size_t>(backend.packed_floats(
                                                                 outputs, inputs, element))),
                               workspace =
                                   backend.allocate(4 + 4 * static_cast<std::size_t>(backend.linear_workspace(
                                                                rows, outputs, inputs, element)));
        const auto floats = [](const kernels::Storage& storage) {
            return reinterpret_cast<float*>(storage.get());
        };
        const PackedWeights ready =
            backend.pack_weights({floats(weights), outputs, inputs}, element, floats(packed));
        const Activations x_numbers{floats(x), rows, inputs, element}, y{floats(out), rows, outputs, element};
        const auto add = [&](const std::string& kind, const std::function<void()>& run) {
            products.push_back({kind + " " + std::to_string(rows) + " x " + std::to_string(inputs) + " x " +
                                    std::to_string(outputs),
                                count * times, 2.0 * static_cast<double>(rows * inputs * outputs),
                                [run, x, weights, gradient, out, packed, workspace] { run(); }});
        };
        add("forward", [&backend, x_numbers, ready, y] { backend.linear(x_numbers, ready, nullptr, y); });
        add("input gradient", [&backend, x_numbers, ready, y] {
            backend.linear_backward_input(y, ready, x_numbers, Write::replace);
        });
        add("weights gradient",
            [&backend, x_numbers, y, to = kernels::MutableMatrix{floats(gradient), outputs, inputs},
             scratch = floats(workspace)] {
                backend.linear_backward_weights(y, x_numbers, to, Write::replace, scratch);
            });
    }
    return products;
}

}  // namespace isogrid::bench
