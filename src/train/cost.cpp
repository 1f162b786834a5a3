// What a trial will cost: bytes from the plan, seconds from a short measurement.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

#include "graph/program.hpp"
#include "model/llama.hpp"
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

std::int64_t planned_bytes(const study::Trial& trial, int ranks, const kernels::Backend& backend) {
    const model::Llama training =
        model::build_training(trial.shape, trial.parametrization, trial.leaf_batch(), 1.0f);
    const model::Llama forward = model::build_forward(trial.shape, trial.parametrization, trial.leaf_batch());
    const std::int64_t parameters = graph::lay_out_parameters(training.graph).floats;
    const std::int64_t gradients =
        ReductionTree::buffers(std::max<std::int64_t>(1, trial.leaves / ranks), ranks);
    const std::int64_t floats = parameters * (3 + gradients) +
                                graph::program_floats(training.graph, backend) +
                                graph::program_floats(forward.graph, backend);
    return floats * static_cast<std::int64_t>(sizeof(float));
}

double measure_seconds_per_step(const study::Trial& trial, kernels::Backend& backend) {
    const model::Llama model =
        model::build_training(trial.shape, trial.parametrization, trial.leaf_batch(), 1.0f);
    graph::Program program(model.graph, backend);
    std::vector<float> weights =
        model::initial_weights(model, program.parameters(), trial.shape, trial.parametrization, trial.seed);
    std::vector<float> gradient(weights.size()), first_moment(weights.size()), second_moment(weights.size());
    std::vector<kernels::TokenId> tokens(static_cast<std::size_t>(model.graph.rows()));
    for (std::size_t i = 0; i < tokens.size(); ++i)
        tokens[i] = static_cast<kernels::TokenId>(i * 7 % static_cast<std::size_t>(trial.shape.vocabulary));

    const double leaf_seconds = median_seconds([&] { program.run(tokens, tokens, weights, gradient); });
    const double update_seconds = median_seconds([&] {
        backend.sum_of_squares(gradient);
        backend.adamw({.learning_rate = 0.0f, .beta1 = 0.9f, .beta2 = 0.95f, .epsilon = 1e-8f}, gradient,
                      weights, first_moment, second_moment);
    });
    return leaf_seconds * static_cast<double>(trial.leaves) + update_seconds;
}

}  // namespace isogrid::train
