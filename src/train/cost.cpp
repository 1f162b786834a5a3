// What a trial will cost: bytes from the plan, seconds from a short measurement.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

#include "graph/program.hpp"
#include "model/llama.hpp"
#include "train/reduction_tree.hpp"
#include "train/trainer.hpp"

namespace isogrid::train {

std::int64_t planned_bytes(const study::Trial& trial, int ranks, const kernels::Backend& backend) {
    const std::int64_t leaf_batch = trial.batch / trial.leaves;
    const model::Llama training = model::build_training(trial.shape, trial.parametrization, leaf_batch, 1.0f);
    const model::Llama forward = model::build_forward(trial.shape, trial.parametrization, leaf_batch);
    const std::int64_t parameters = graph::lay_out_parameters(training.graph).floats;
    const std::int64_t gradients =
        ReductionTree::buffers(std::max<std::int64_t>(1, trial.leaves / ranks), ranks);
    const std::int64_t floats = parameters * (3 + gradients) +
                                graph::program_floats(training.graph, backend) +
                                graph::program_floats(forward.graph, backend);
    return floats * static_cast<std::int64_t>(sizeof(float));
}

double measure_seconds_per_step(const study::Trial& trial, kernels::Backend& backend) {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds long_enough{60};

    const std::int64_t leaf_batch = trial.batch / trial.leaves;
    const model::Llama model = model::build_training(trial.shape, trial.parametrization, leaf_batch, 1.0f);
    graph::Program program(model.graph, backend);
    std::vector<float> weights =
        model::initial_weights(model, program.parameters(), trial.shape, trial.parametrization, trial.seed);
    std::vector<float> gradient(weights.size()), first_moment(weights.size()), second_moment(weights.size());
    std::vector<kernels::TokenId> tokens(static_cast<std::size_t>(model.graph.rows()));
    for (std::size_t i = 0; i < tokens.size(); ++i)
        tokens[i] = static_cast<kernels::TokenId>(i * 7 % static_cast<std::size_t>(trial.shape.vocabulary));

    const auto run_leaf = [&] { program.run(tokens, tokens, weights, gradient); };
    run_leaf();  // the first run makes what later runs find ready
    const auto start = Clock::now();
    int leaves = 0;
    do {
        run_leaf();
        ++leaves;
    } while (Clock::now() - start < long_enough || leaves < 3);
    const double leaf_seconds = std::chrono::duration<double>(Clock::now() - start).count() / leaves;

    const auto update_start = Clock::now();
    backend.adamw({.learning_rate = 0.0f, .beta1 = 0.9f, .beta2 = 0.95f, .epsilon = 1e-8f}, gradient, weights,
                  first_moment, second_moment);
    backend.sum_of_squares(gradient);
    const double update_seconds = std::chrono::duration<double>(Clock::now() - update_start).count();
    return leaf_seconds * static_cast<double>(trial.leaves) + update_seconds;
}

}  // namespace isogrid::train
