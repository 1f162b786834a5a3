// What a trial will cost: bytes from the plan, seconds from a short measurement.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "model/llama.hpp"
#include "train/blocks.hpp"
#include "train/reduction_tree.hpp"
#include "train/trainer.hpp"

namespace isogrid::train {
namespace {

/// Of at least 5 runs and about 50 ms, after a first one that makes ready what later ones find: the median,
/// since a shared machine now and then takes a run away for a while.
double median_seconds(const std::function<void()>& run) {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds long_enough{50};
    run();
    std::vector<double> seconds;
    const auto start = Clock::now();
    while (seconds.size() < 5 || Clock::now() - start < long_enough) {
        const auto before = Clock::now();
        run();
        seconds.push_back(std::chrono::duration<double>(Clock::now() - before).count());
    }
    std::nth_element(seconds.begin(), seconds.begin() + seconds.size() / 2, seconds.end());
    return seconds[seconds.size() / 2];
}

}  // namespace

std::int64_t planned_bytes(const study::Trial& trial, int ranks, int threads,
                           const kernels::Backend& backend) {
    if (!backend.on_host()) threads = 1;
    const graph::Graph training = training_graph(trial, backend),
                       evaluation = evaluation_graph(trial, backend);
    std::int64_t arena = graph::program_floats(training, backend);
    for (const study::BatchStage& stage : trial.batch_schedule)
        arena = std::max(arena, graph::program_floats(training_graph(trial.within(stage), backend), backend));
    const std::int64_t parameters = graph::lay_out_parameters(training).floats;
    const std::int64_t leaves_of_rank = std::max<std::int64_t>(1, trial.leaves / ranks);
    const std::int64_t gradients = ReductionTree::buffers(leaves_of_rank, ranks, threads);
    const std::int64_t floats = (3 + gradients) * parameters +
                                graph::PackedParameters::floats(training, backend) +
                                ReductionTree::members(leaves_of_rank, threads) *
                                    (arena + graph::program_floats(evaluation, backend));
    return floats * static_cast<std::int64_t>(sizeof(float));
}

double measure_seconds_per_step(const study::Trial& trial, kernels::Backend& backend) {
    Blocks blocks(training_graph(trial, backend), backend);
    graph::PackedParameters& parameters = *blocks.program().parameters();
    const model::Llama model = model::build_forward(trial.shape, trial.parametrization, trial.precision, 1);
    const std::vector<float> initial = model::initial_weights(model.roles, blocks.program().layout(),
                                                              trial.shape, trial.parametrization, trial.seed);
    std::vector<data::Token> tokens(static_cast<std::size_t>(trial.shape.context + 1));
    for (std::size_t i = 0; i < tokens.size(); ++i)
        tokens[i] = static_cast<data::Token>(i * 7 % static_cast<std::size_t>(trial.shape.vocabulary));

    // Weights, gradient and both moments, in the backend's memory.
    const std::size_t bytes = initial.size() * sizeof(float);
    const kernels::Storage state = backend.allocate(4 * bytes);
    backend.fill_zero(state.get(), 4 * bytes);
    const auto part = [&](std::size_t index) {
        return std::span(reinterpret_cast<float*>(state.get()) + index * initial.size(), initial.size());
    };
    backend.copy_in(part(0).data(), initial.data(), bytes);
    parameters.pack(part(0));

    const double leaf_seconds = median_seconds([&] {
        blocks.run(
            tokens, trial.leaf_batch(), [](std::int64_t) { return std::int64_t{0}; }, part(1));
    });
    const double update_seconds = median_seconds([&] {
        backend.adamw({.learning_rate = 0.0f, .beta1 = 0.9f, .beta2 = 0.95f, .epsilon = 1e-8f}, part(1),
                      part(0), part(2), part(3));
        parameters.pack(part(0));
        backend.sum_of_squares(part(1));  // last: its result is there only when all work before it is done
    });
    return leaf_seconds * static_cast<double>(trial.leaves) + update_seconds;
}

}  // namespace isogrid::train
