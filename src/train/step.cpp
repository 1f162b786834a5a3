#include "train/step.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <exception>
#include <tuple>

#include "train/linked_cards.hpp"

namespace isogrid::train {

namespace {

constexpr std::size_t groups = std::tuple_size_v<GroupNorms>;
constexpr std::size_t most_kinds = 8;   // one a role at most
constexpr std::int64_t most_steps = 8;  // a launch

/// A program for each thread, all under the same weights: those given, or new ones.
std::vector<Blocks> blocks_of(const study::Trial& trial, int threads, kernels::Backend& backend,
                              std::shared_ptr<graph::PackedParameters> parameters) {
    std::vector<Blocks> blocks;
    for (int member = 0; member < threads; ++member) {
        blocks.emplace_back(training_graph(trial, backend), backend, parameters);
        parameters = blocks.front().program().parameters();
    }
    return blocks;
}

}  // namespace

std::int64_t steps_a_launch(const study::Trial& trial, int ranks, const kernels::Backend& backend) {
    const std::int64_t sequences = trial.batch / ranks;
    const double flops =
        model::exact_flops_per_token(trial.shape) * static_cast<double>(sequences * trial.shape.context);
    const std::int64_t blocks = sequences / block_sequences(trial, backend);
    const auto ops = static_cast<std::int64_t>(training_graph(trial, backend).ops().size());
    return std::min(most_steps, backend.steps_a_launch(flops, blocks * ops));
}

struct Step::Numbers {
    std::array<std::array<kernels::AdamWStep, most_kinds>, most_steps> steps;
    kernels::Standing standing;
    NoiseSums noise;
    GroupNorms of_batch;  ///< the squared norms of a batch's gradient
    double squares;       ///< all of them
};

Step::Step(const study::Trial& trial, kernels::Backend& backend, Communicator& group, int threads)
    : trial_(trial),
      backend_(backend),
      group_(group),
      model_(model::build_forward(trial.shape, trial.parametrization, trial.precision, 1)),
      stage_(trial.stage_after(0)),
      team_(ReductionTree::members(trial.leaves / group.size(), backend.on_host() ? threads : 1)),
      blocks_(blocks_of(trial, team_.size(), backend, nullptr)),
      links_(link_cards(trial, backend, group)),
      most_at_once_(group.size() == 1 || links_ ? steps_a_launch(trial, group.size(), backend) : 1),
      windows_(trial.batch / group.size(), trial.shape.context, backend, most_at_once_),
      tree_(trial.leaves, layout().floats, 1 + std::int64_t{groups}, backend, group, team_, links_.get()),
      numbers_(backend.allocate(sizeof(Numbers))),
      at_(reinterpret_cast<Numbers*>(numbers_.get())) {
    set_initial_state();
    list_runs();
    record();
}

/// The trial's initial weights; moments and sums are zero.
void Step::set_initial_state() {
    const std::size_t bytes = static_cast<std::size_t>(layout().floats) * sizeof(float);
    state_ = backend_.allocate(parts * bytes);
    backend_.fill_zero(state_.get(), parts * bytes);
    backend_.copy_in(
        weights().data(),
        model::initial_weights(model_.roles, layout(), trial_.shape, trial_.parametrization, trial_.seed)
            .data(),
        bytes);
    parameters()->pack(weights());
    const Numbers none{};
    backend_.copy_in(at_, &none, sizeof none);
}

/// Runs of the state, for the backend: of each tensor, by its kind; of each group; and one of all.
void Step::list_runs() {
    std::vector<kernels::Run> runs;
    for (std::size_t i = 0; i < model_.roles.size(); ++i) {
        const model::TensorRule rule = tensor_rule(model_.roles[i], trial_.shape, trial_.parametrization);
        const auto known = std::find_if(kinds_.begin(), kinds_.end(), [&](const Kind& kind) {
            return kind.learning_rate_multiplier == rule.learning_rate_multiplier &&
                   kind.decays == rule.decays;
        });
        runs.push_back({layout().offsets[i], layout().sizes[i], known - kinds_.begin()});
        if (known == kinds_.end()) kinds_.push_back({rule.learning_rate_multiplier, rule.decays});
    }
    assert(kinds_.size() <= most_kinds);
    const std::vector<kernels::Run> of_groups = runs_of_groups(model_.groups, layout());
    runs.insert(runs.end(), of_groups.begin(), of_groups.end());
    runs.push_back({0, layout().floats, 0});
    runs_ = backend_.allocate(runs.size() * sizeof(kernels::Run));
    backend_.copy_in(runs_.get(), runs.data(), runs.size() * sizeof(kernels::Run));
    const std::span<const kernels::Run> all(reinterpret_cast<const kernels::Run*>(runs_.get()), runs.size());
    runs_of_kinds_ = all.first(model_.roles.size());
    runs_of_groups_ = all.subspan(model_.roles.size(), of_groups.size());
    whole_ = all.last(1);
}

Step::~Step() {
    end_links();
}

/// NCCL's links end after what was recorded with them. But that has memory of its own, so where the trial is
/// given up the links go first, by which they are cut and the card is told not to wait.
void Step::end_links() {
    if (std::uncaught_exceptions() > thrown_before_) links_.reset();
    forget_recorded();
    links_.reset();
}

void Step::forget_recorded() {
    whole_steps_.clear();
    leaves_part_ = update_part_ = nullptr;
}

void Step::record() {
    for (std::int64_t steps = 1; steps <= most_at_once_; steps *= 2)
        whole_steps_.push_back(backend_.recorded([this, steps] {
            for (std::int64_t slot = 0; slot < steps; ++slot) {
                sum_leaves(slot);
                update(slot);
            }
        }));
    leaves_part_ = backend_.recorded([this] { sum_leaves(0); });
    update_part_ = backend_.recorded([this] { update(0); });
}

void Step::enter(const study::BatchStage& stage) {
    if (stage.batch != stage_.batch) {
        const std::shared_ptr<graph::PackedParameters> kept = parameters();
        // The old arenas go before the new ones come, as planned_bytes() has it.
        forget_recorded();
        blocks_.clear();
        blocks_ = blocks_of(trial_.within(stage), team_.size(), backend_, kept);
        if (most_at_once_ > 1) most_at_once_ = steps_a_launch(trial_.within(stage), group_.size(), backend_);
        windows_ = Windows(stage.batch / group_.size(), trial_.shape.context, backend_, most_at_once_);
        record();
    }
    stage_ = stage;
}

std::span<float> Step::state(Part part) {
    const std::int64_t floats = layout().floats;
    return {reinterpret_cast<float*>(state_.get()) + static_cast<std::int64_t>(part) * floats,
            static_cast<std::size_t>(floats)};
}

// Decay takes learning_rate * weight_decay of a weight whatever the tensor's own learning rate, so that
// muP's smaller rates do not also weaken the decay (Wang and Aitchison 2024).
std::vector<kernels::AdamWStep> Step::adamw_steps(std::int64_t step, double learning_rate) const {
    const study::Optimizer& optimizer = trial_.optimizer;
    std::vector<kernels::AdamWStep> steps;
    for (const Kind& kind : kinds_)
        steps.push_back(
            {.step = step,
             .learning_rate = static_cast<float>(learning_rate * kind.learning_rate_multiplier),
             .beta1 = static_cast<float>(optimizer.beta1),
             .beta2 = static_cast<float>(optimizer.beta2),
             .epsilon = static_cast<float>(optimizer.epsilon),
             .decay = static_cast<float>(kind.decays ? learning_rate * optimizer.weight_decay : 0)});
    return steps;
}

bool Step::take(std::int64_t first, std::span<const double> learning_rates,
                std::span<const data::Token> tokens, const Windows::Start& start, bool stop) {
    const auto count = std::ssize(learning_rates);
    assert(std::has_single_bit(learning_rates.size()) && count <= most_at_once_);
    std::array<std::array<kernels::AdamWStep, most_kinds>, most_steps> told{};
    for (std::int64_t slot = 0; slot < count; ++slot) {
        const auto at = static_cast<std::size_t>(slot);
        std::ranges::copy(adamw_steps(first + slot, learning_rates[at]), told[at].begin());
    }
    backend_.copy_in(at_->steps.data(), told.data(), static_cast<std::size_t>(count) * sizeof told[0]);
    const std::int64_t sequences = windows_.sequences(), first_row = group_.rank() * sequences;
    windows_.fill(
        tokens,
        [&](std::int64_t sequence) {
            return start(sequence / sequences * stage_.batch + first_row + sequence % sequences);
        },
        count);
    if (group_.size() == 1 || links_) {
        stop = tree_.any_stops(stop);
        whole_steps_[static_cast<std::size_t>(std::countr_zero(learning_rates.size()))]();
        return stop;
    }
    leaves_part_();
    const bool stops = tree_.sum_ranks(stop);
    update_part_();
    return stops;
}

void Step::sum_leaves(std::int64_t slot) {
    tree_.sum_leaves([&](std::int64_t leaf, std::span<float> gradient, std::span<double> sums, int member,
                         const graph::GradientsFinal& on_final) {
        const std::int64_t leaf_batch = stage_.batch / trial_.leaves;
        const std::int64_t first = leaf * leaf_batch + (slot - group_.rank()) * windows_.sequences();
        blocks_[static_cast<std::size_t>(member)].run(windows_, first, leaf_batch, gradient, sums.data(),
                                                      on_final);
        if (trial_.leaves > 1)  // one leaf alone shows no noise
            backend_.add_sums_of_squares(gradient, runs_of_groups_, sums.data() + 1);
    });
}

void Step::update(std::int64_t slot) {
    const kernels::AdamWStep* steps = at_->steps[static_cast<std::size_t>(slot)].data();
    const std::span<float> gradient = tree_.gradient();
    const std::span<const double> sums = tree_.sums();
    if (trial_.leaves > 1) {
        backend_.fill_zero(at_->of_batch.data(), sizeof(GroupNorms));
        backend_.add_sums_of_squares(gradient, runs_of_groups_, at_->of_batch.data());
        backend_.accumulate(std::span(at_->noise.of_leaves), sums.subspan(1));
        backend_.accumulate(std::span(at_->noise.of_batch), std::span<const double>(at_->of_batch));
    }
    backend_.fill_zero(&at_->squares, sizeof(double));
    backend_.add_sums_of_squares(gradient, whole_, &at_->squares);
    backend_.close_step(sums.data(), &at_->squares, steps,
                        {.tokens = static_cast<double>(stage_.batch * trial_.shape.context),
                         .gradient_clip = trial_.optimizer.gradient_clip},
                        &at_->standing);
    backend_.adamw(runs_of_kinds_, steps, &at_->standing, gradient, weights(), first_moment(),
                   second_moment(), parameters()->copies());
}

kernels::Standing Step::standing() const {
    kernels::Standing standing;
    backend_.copy_out(&standing, &at_->standing, sizeof standing);
    return standing;
}

NoiseSums Step::noise_sums() const {
    NoiseSums sums;
    backend_.copy_out(&sums, &at_->noise, sizeof sums);
    return sums;
}

void Step::set_sums(double loss_sum, const NoiseSums& noise) {
    backend_.copy_in(&at_->standing.loss_sum, &loss_sum, sizeof loss_sum);
    backend_.copy_in(&at_->noise, &noise, sizeof noise);
}

}  // namespace isogrid::train
