// What a trial will cost: bytes from the plan, seconds from a short measurement.
#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/llama.hpp"
#include "study/flops.hpp"
#include "study/shape.hpp"
#include "train/blocks.hpp"
#include "train/reduction_tree.hpp"
#include "train/step.hpp"
#include "train/trainer.hpp"
#include "train/windows.hpp"

namespace isogrid::train {
namespace {

/// Of 5 runs or more and about 50 ms, after two that make ready what later ones find (a card makes one launch
/// of the second): the median, since a shared machine now and then takes a run away for a while. Of longer
/// runs as many as take half a second, and of those longer than a second the first: others wait for this.
double median_seconds(const std::function<void()>& run) {
    using Clock = std::chrono::steady_clock;
    constexpr double long_enough = 0.05, long_enough_for_few = 0.5, too_long = 1;
    const auto timed = [&] {
        const auto before = Clock::now();
        run();
        return std::chrono::duration<double>(Clock::now() - before).count();
    };
    for (int ready = 0; ready < 2; ++ready)
        if (const double taken = timed(); taken > too_long) return taken;
    std::vector<double> seconds;
    double all = 0;
    while (all < (seconds.size() < 5 ? long_enough_for_few : long_enough)) {
        seconds.push_back(timed());
        all += seconds.back();
    }
    std::nth_element(seconds.begin(), seconds.begin() + seconds.size() / 2, seconds.end());
    return seconds[seconds.size() / 2];
}

double flops_of_block(const study::Trial& trial, const kernels::Backend& backend) {
    const std::int64_t tokens = block_sequences(trial, backend) * trial.shape.context;
    return study::count_flops(trial.shape, /*exact=*/0).attention * static_cast<double>(tokens);
}

/// Of the kind of `trial`, but small enough for a processor to time a block in a second or so, and for the
/// memory of a login node: with fewer layers, which leave the speed what it is; where these are not enough,
/// fewer rows, then a smaller vocabulary and width.
study::Trial small_enough(study::Trial trial, const kernels::Backend& backend) {
    constexpr double most_flops = 1e10;
    constexpr std::int64_t most_parameters = 30'000'000, fewest_tokens = 64, fewest_words = 4096;
    study::Shape& shape = trial.shape;
    while (backend.on_host()) {
        const bool too_long = flops_of_block(trial, backend) > most_flops;
        if (!too_long && study::count_parameters(shape).total() <= most_parameters) break;
        if (shape.depth > 1) {
            shape.depth /= 2;
        } else if (const std::int64_t block = block_sequences(trial, backend); too_long && block > 1) {
            trial.batch = trial.leaves * (block / 2);
        } else if (too_long && shape.context > fewest_tokens) {
            shape.context /= 2;
        } else if (shape.vocabulary > fewest_words) {
            shape.vocabulary /= 2;
        } else if (shape.heads > 1) {
            const std::int64_t heads = shape.heads / 2;
            shape.mlp_width = std::max<std::int64_t>(8, shape.mlp_width * heads / shape.heads / 8 * 8);
            shape.width = heads * shape.head_width();
            shape.heads = heads;
        } else {
            break;
        }
    }
    return trial;
}

/// What a measured step is told and leaves, in the backend's memory.
struct Numbers {
    kernels::Run whole;
    kernels::AdamWStep step;
    kernels::Standing standing;
    double sum;
};

}  // namespace

std::int64_t planned_bytes(const study::Trial& trial, int ranks, int threads,
                           const kernels::Backend& backend) {
    if (!backend.on_host()) threads = 1;
    const graph::Graph training = training_graph(trial, backend),
                       evaluation = evaluation_graph(trial, backend);
    std::int64_t arena = graph::program_floats(training, backend), rows = training.rows(),
                 batch = trial.batch;
    for (const study::BatchStage& stage : trial.batch_schedule) {
        const graph::Graph of_stage = training_graph(trial.within(stage), backend);
        arena = std::max(arena, graph::program_floats(of_stage, backend));
        rows = std::max(rows, of_stage.rows());
        batch = std::max(batch, stage.batch);
    }
    const std::int64_t parameters = graph::lay_out_parameters(training).floats;
    const std::int64_t leaves_of_rank = std::max<std::int64_t>(1, trial.leaves / ranks);
    const std::int64_t gradients = ReductionTree::buffers(leaves_of_rank, ranks, threads, !backend.on_host());
    const std::int64_t floats =
        (3 + gradients) * parameters +
        steps_a_launch(trial, ranks, backend) * Windows::floats(batch / ranks, trial.shape.context) +
        graph::PackedParameters::floats(training, backend) +
        ReductionTree::members(leaves_of_rank, threads) *
            (arena + graph::program_floats(evaluation, backend) +
             Windows::floats(trial.leaf_batch(), trial.shape.context));
    // Of one step, two, four, ... in a launch; of an evaluation; of what is not recorded.
    const auto launches = std::bit_width(static_cast<std::uint64_t>(steps_a_launch(trial, ranks, backend)));
    const std::int64_t scratch =
        (launches + 2) * backend.scratch_bytes(rows, trial.shape.width, trial.shape.vocabulary);
    return floats * static_cast<std::int64_t>(sizeof(float)) + scratch;
}

double measure_seconds_per_step(const study::Trial& asked, kernels::Backend& backend, int threads) {
    const study::Trial trial = small_enough(asked, backend);
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

    const graph::ParameterLayout& layout = blocks.program().layout();
    std::vector<kernels::Run> tensors;
    for (std::size_t i = 0; i < layout.offsets.size(); ++i)
        tensors.push_back({layout.offsets[i], layout.sizes[i], 0});
    const kernels::Storage runs = backend.allocate(tensors.size() * sizeof(kernels::Run));
    backend.copy_in(runs.get(), tensors.data(), tensors.size() * sizeof(kernels::Run));
    const kernels::Run whole{0, static_cast<std::int64_t>(initial.size()), 0};
    const Numbers numbers{whole, {.beta1 = 0.9f, .beta2 = 0.95f, .epsilon = 1e-8f}, {}, 0};
    const kernels::Storage storage = backend.allocate(sizeof numbers);
    backend.copy_in(storage.get(), &numbers, sizeof numbers);
    auto* at = reinterpret_cast<Numbers*>(storage.get());
    const auto until_done = [&](const std::function<void()>& work) {
        return [&backend, at, work = backend.recorded(work)] {
            work();
            double sum = 0;
            backend.copy_out(&sum, &at->sum, sizeof sum);
        };
    };
    const std::int64_t block = block_sequences(trial, backend);
    Windows windows(block, trial.shape.context, backend);
    windows.fill(tokens, [](std::int64_t) { return std::int64_t{0}; });

    const double block_seconds =
        median_seconds(until_done([&] { blocks.run(windows, 0, block, part(1), &at->sum); }));
    const double leaf_seconds = block_seconds *
                                static_cast<double>(asked.leaf_batch() / block_sequences(asked, backend)) *
                                (flops_of_block(asked, backend) / flops_of_block(trial, backend));
    const double update_seconds = median_seconds(until_done([&] {
        backend.add_sums_of_squares(part(1), {&at->whole, 1}, &at->sum);
        backend.adamw({reinterpret_cast<const kernels::Run*>(runs.get()), tensors.size()}, &at->step,
                      &at->standing, part(1), part(0), part(2), part(3), parameters.copies());
    }));
    const double times_larger = static_cast<double>(study::count_parameters(asked.shape).total()) /
                                static_cast<double>(study::count_parameters(trial.shape).total());
    const std::int64_t at_once = ReductionTree::members(asked.leaves, backend.on_host() ? threads : 1);
    return leaf_seconds * static_cast<double>(asked.leaves / at_once) + update_seconds * times_larger;
}

}  // namespace isogrid::train
