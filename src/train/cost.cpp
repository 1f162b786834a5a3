#include "train/cost.hpp"

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

/// Of one window.
std::vector<data::Token> made_up_tokens(const study::Shape& shape) {
    std::vector<data::Token> tokens(static_cast<std::size_t>(shape.context + 1));
    for (std::size_t i = 0; i < tokens.size(); ++i)
        tokens[i] = static_cast<data::Token>(i * 7 % static_cast<std::size_t>(shape.vocabulary));
    return tokens;
}

/// The parts of a step, to be timed: a block of made-up tokens, and an update of the weights.
class Rehearsal {
  public:
    Rehearsal(const study::Trial& trial, kernels::Backend& backend)
        : backend_(backend),
          blocks_(training_graph(trial, backend), backend),
          block_(block_sequences(trial, backend)),
          state_(backend.allocate(parts * bytes())),
          runs_(backend.allocate(layout().offsets.size() * sizeof(kernels::Run))),
          numbers_(backend.allocate(sizeof(Numbers))),
          at_(reinterpret_cast<Numbers*>(numbers_.get())),
          windows_(block_, trial.shape.context, backend) {
        const model::Llama model =
            model::build_forward(trial.shape, trial.parametrization, trial.precision, 1);
        backend.fill_zero(state_.get(), parts * bytes());
        backend.copy_in(
            part(Part::weights).data(),
            model::initial_weights(model.roles, layout(), trial.shape, trial.parametrization, trial.seed)
                .data(),
            bytes());
        parameters().pack(part(Part::weights));

        std::vector<kernels::Run> tensors;
        for (std::size_t i = 0; i < layout().offsets.size(); ++i)
            tensors.push_back({layout().offsets[i], layout().sizes[i], 0});
        backend.copy_in(runs_.get(), tensors.data(), tensors.size() * sizeof(kernels::Run));
        const Numbers numbers{
            {0, layout().floats, 0}, {.beta1 = 0.9f, .beta2 = 0.95f, .epsilon = 1e-8f}, {}, 0};
        backend.copy_in(at_, &numbers, sizeof numbers);
        windows_.fill(made_up_tokens(trial.shape), [](std::int64_t) { return std::int64_t{0}; });
    }

    double block_seconds() {
        return median_seconds(
            until_done([this] { blocks_.run(windows_, 0, block_, part(Part::gradient), &at_->sum); }));
    }

    double update_seconds() {
        return median_seconds(until_done([this] {
            backend_.add_sums_of_squares(part(Part::gradient), {&at_->whole, 1}, &at_->sum);
            backend_.adamw({reinterpret_cast<const kernels::Run*>(runs_.get()), layout().offsets.size()},
                           &at_->step, &at_->standing, part(Part::gradient), part(Part::weights),
                           part(Part::first_moment), part(Part::second_moment), parameters().copies());
        }));
    }

  private:
    enum class Part : std::size_t { weights, gradient, first_moment, second_moment };
    static constexpr std::size_t parts = 4;

    /// What the parts of a step are told and leave, in the backend's memory.
    struct Numbers {
        kernels::Run whole;
        kernels::AdamWStep step;
        kernels::Standing standing;
        double sum;
    };

    const graph::ParameterLayout& layout() const { return blocks_.program().layout(); }
    graph::PackedParameters& parameters() { return *blocks_.program().parameters(); }
    std::size_t bytes() const { return static_cast<std::size_t>(layout().floats) * sizeof(float); }
    std::span<float> part(Part which) {
        const auto floats = static_cast<std::size_t>(layout().floats);
        return {reinterpret_cast<float*>(state_.get()) + static_cast<std::size_t>(which) * floats, floats};
    }

    /// `work` as the backend does a step's, with a look at a number that it leaves, which waits for its end.
    std::function<void()> until_done(const std::function<void()>& work) {
        return [this, recorded = backend_.recorded(work)] {
            recorded();
            double sum = 0;
            backend_.copy_out(&sum, &at_->sum, sizeof sum);
        };
    }

    kernels::Backend& backend_;
    Blocks blocks_;
    std::int64_t block_;      ///< sequences of one
    kernels::Storage state_;  ///< its parts, one after the other
    kernels::Storage runs_, numbers_;
    Numbers* at_;
    Windows windows_;
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
    Rehearsal rehearsal(trial, backend);
    const double leaf_seconds = rehearsal.block_seconds() *
                                static_cast<double>(asked.leaf_batch() / block_sequences(asked, backend)) *
                                (flops_of_block(asked, backend) / flops_of_block(trial, backend));
    const double times_larger = static_cast<double>(study::count_parameters(asked.shape).total()) /
                                static_cast<double>(study::count_parameters(trial.shape).total());
    const double update_seconds = rehearsal.update_seconds() * times_larger;
    const std::int64_t at_once = ReductionTree::members(asked.leaves, backend.on_host() ? threads : 1);
    return leaf_seconds * static_cast<double>(asked.leaves / at_once) + update_seconds;
}

}  // namespace isogrid::train
