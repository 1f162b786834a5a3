#include "train/bench/step.hpp"

#include <chrono>
#include <cmath>
#include <random>
#include <stdexcept>

#include "graph/program.hpp"
#include "kernels/cpu/cpu_backend.hpp"
#include "model/llama.hpp"

namespace isogrid::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Batches that take turns, so that no step finds its tokens learned by heart.
constexpr std::size_t batches = 8;

constexpr float learning_rate = 3e-4f, weight_decay = 0.1f, largest_norm = 1.0f;

std::vector<kernels::TokenId> made_up_tokens(std::int64_t count, std::int64_t vocabulary) {
    std::mt19937 generator(1);
    std::vector<kernels::TokenId> tokens(static_cast<std::size_t>(count));
    for (kernels::TokenId& token : tokens)
        token = static_cast<kernels::TokenId>(generator() % static_cast<std::uint64_t>(vocabulary));
    return tokens;
}

/// Even in [-1, 1), and freed with the last copy of its handle.
kernels::Storage made_up_numbers(std::int64_t count, kernels::Backend& backend) {
    std::mt19937 generator(1);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values)
        value = static_cast<float>(generator() >> 8) * 0x1p-23f - 1;
    kernels::Storage storage = backend.allocate(values.size() * sizeof(float));
    backend.copy_in(storage.get(), values.data(), values.size() * sizeof(float));
    return storage;
}

}  // namespace

bool trains_in(std::string_view precision) {
    return precision == "float32";
}

std::unique_ptr<kernels::Backend> make_backend(std::string_view instruction_set) {
    if (instruction_set.empty()) return kernels::make_cpu_backend();
    for (const kernels::cpu::InstructionSet known : kernels::cpu::instruction_sets)
        if (kernels::cpu::name(known) == instruction_set) return kernels::cpu::make_backend(known);
    throw std::runtime_error("no instruction set '" + std::string(instruction_set) +
                             "' (the CPU backend has none of that name) leave --isa out for the best");
}

struct Training::State {
    State(const BenchShape& shape, kernels::Backend& chosen)
        : backend(chosen),
          model(model::build_training(shape.shape, parametrization, shape.batch,
                                      1.0f / static_cast<float>(shape.tokens_per_step()))),
          program(model.graph, backend),
          weights(
              model::initial_weights(model, program.parameters(), shape.shape, parametrization, /*seed=*/1)),
          gradient(weights.size()),
          first_moment(weights.size()),
          second_moment(weights.size()),
          rows(static_cast<std::size_t>(shape.tokens_per_step())),
          tokens(made_up_tokens(static_cast<std::int64_t>(batches) * shape.tokens_per_step() + 1,
                                shape.shape.vocabulary)) {}

    void run_program() {
        const std::span<const kernels::TokenId> batch(tokens.data() + steps % batches * rows, rows + 1);
        program.run(batch.first(rows), batch.last(rows), weights, gradient);
    }
    double gradient_norm() { return std::sqrt(backend.sum_of_squares(gradient)); }
    void update(double norm) {
        ++steps;
        backend.adamw({.step = static_cast<std::int64_t>(steps),
                       .learning_rate = learning_rate,
                       .beta1 = 0.9f,
                       .beta2 = 0.95f,
                       .epsilon = 1e-8f,
                       .decay = learning_rate * weight_decay,
                       .gradient_scale = norm > largest_norm ? static_cast<float>(largest_norm / norm) : 1},
                      gradient, weights, first_moment, second_moment);
    }

    study::Parametrization parametrization;
    kernels::Backend& backend;
    model::Llama model;
    graph::Program program;
    std::vector<float> weights, gradient, first_moment, second_moment;
    std::size_t rows, steps = 0;
    std::vector<kernels::TokenId> tokens;
};

Training::Training(const BenchShape& shape, std::string_view precision, kernels::Backend& backend) {
    if (!trains_in(precision)) throw std::runtime_error("cannot train in " + std::string(precision));
    state_ = std::make_unique<State>(shape, backend);
}

Training::~Training() = default;

void Training::step() {
    state_->run_program();
    state_->update(state_->gradient_norm());
}

void Training::timed_step(Seconds& seconds) {
    graph::OpSeconds by_op;
    state_->program.time_ops(&by_op);
    const Clock::time_point start = Clock::now();
    state_->run_program();
    const Clock::time_point norm_start = Clock::now();
    const double norm = state_->gradient_norm();
    const Clock::time_point update_start = Clock::now();
    state_->update(norm);
    seconds["adamw"] += seconds_since(update_start);
    seconds["gradient norm"] += std::chrono::duration<double>(update_start - norm_start).count();
    seconds[all] += seconds_since(start);
    state_->program.time_ops(nullptr);
    for (const auto& [op, spent] : by_op)
        seconds[std::string(op)] += spent;
}

std::vector<Product> products_of(const BenchShape& shape, std::string_view precision,
                                 kernels::Backend& backend) {
    if (!trains_in(precision)) throw std::runtime_error("has no products in " + std::string(precision));
    struct Size {
        std::int64_t inputs, outputs, count;
    };
    const std::int64_t width = shape.shape.width, hidden = shape.shape.mlp_width, layers = shape.shape.depth;
    const std::int64_t rows = shape.tokens_per_step();
    std::vector<Product> products;
    for (const auto [inputs, outputs, count] : {Size{width, width, 4 * layers},
                                                {width, hidden, 2 * layers},
                                                {hidden, width, layers},
                                                {width, shape.shape.vocabulary, 1}}) {
        const kernels::Storage x = made_up_numbers(rows * inputs, backend),
                               weights = made_up_numbers(outputs * inputs, backend),
                               out = made_up_numbers(rows * outputs, backend);
        const auto matrix = [](const kernels::Storage& storage, std::int64_t height, std::int64_t columns) {
            return kernels::MutableMatrix{reinterpret_cast<float*>(storage.get()), height, columns};
        };
        const auto add = [&](const std::string& kind, auto run) {
            products.push_back({kind + " " + std::to_string(rows) + " x " + std::to_string(inputs) + " x " +
                                    std::to_string(outputs),
                                count, 2.0 * static_cast<double>(rows * inputs * outputs),
                                [&backend, run, x, weights, out, x_matrix = matrix(x, rows, inputs),
                                 weights_matrix = matrix(weights, outputs, inputs),
                                 out_matrix = matrix(out, rows, outputs)] {
                                    run(backend, x_matrix, weights_matrix, out_matrix);
                                }});
        };
        using kernels::Backend, kernels::MutableMatrix, kernels::Write;
        add("forward", [](Backend& b, MutableMatrix x_, MutableMatrix w, MutableMatrix y) {
            b.linear(x_, w, 1, y, Write::replace);
        });
        add("input gradient", [](Backend& b, MutableMatrix x_, MutableMatrix w, MutableMatrix y) {
            b.linear_backward_input(y, w, 1, x_, Write::replace);
        });
        add("weights gradient", [](Backend& b, MutableMatrix x_, MutableMatrix w, MutableMatrix y) {
            b.linear_backward_weights(y, x_, 1, w, Write::replace);
        });
    }
    return products;
}

}  // namespace isogrid::bench
