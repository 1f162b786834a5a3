#include "train/trainer.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <memory>
#include <new>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "data/sampler.hpp"
#include "model/llama.hpp"
#include "study/digest.hpp"
#include "train/blocks.hpp"
#include "train/evaluation.hpp"
#include "train/gradient_noise.hpp"
#include "train/reduction_tree.hpp"
#include "train/schedule.hpp"
#include "train/thread_team.hpp"

namespace isogrid::train {
namespace {

using archive::CurvePoint;
using archive::Outcome;
using archive::TrialResult;

/// Rows of a curve besides those of evaluations: of every step to 64, then 32 an octave, enough to draw it
/// and few enough to keep 10,000 of them. Where they stand does not depend on the trial's length, so that
/// trials which begin alike have the same rows, and one can go on from another's checkpoint.
bool has_row(std::int64_t step) {
    constexpr std::int64_t rows_an_octave = 32;
    const auto octave = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(step)));
    return step % std::max<std::int64_t>(1, octave / rows_an_octave) == 0;
}

constexpr double batch_noise_margin = 1.1;
constexpr std::chrono::milliseconds progress_interval{500};

class Trainer {
  public:
    Trainer(const study::Trial& trial, const data::TokenFile& tokens, kernels::Backend& backend,
            Communicator& group, const TrainOptions& options)
        : trial_(trial),
          tokens_(tokens),
          backend_(backend),
          group_(group),
          options_(options),
          sampler_(trial.seed, trial.drawn_from(static_cast<std::int64_t>(tokens.training().size())),
                   trial.shape.context),
          model_(model::build_forward(trial.shape, trial.parametrization, trial.precision, 1)),
          exact_flops_per_token_(model::exact_flops_per_token(trial.shape)),
          team_(ReductionTree::members(trial.leaves / group.size(), backend.on_host() ? options.threads : 1)),
          blocks_(blocks_of(trial, team_.size(), backend, nullptr)),
          evaluation_(trial, tokens, backend, group, team_, parameters()),
          tree_(trial.leaves, layout().floats, backend, group, team_),
          norms_(model_.groups, layout(), backend),
          noise_(trial.leaves),
          stage_(trial.stage_after(0)) {
        const std::size_t bytes = static_cast<std::size_t>(layout().floats) * sizeof(float);
        state_ = backend.allocate(3 * bytes);
        backend.fill_zero(state_.get(), 3 * bytes);
        backend.copy_in(
            weights().data(),
            model::initial_weights(model_.roles, layout(), trial.shape, trial.parametrization, trial.seed)
                .data(),
            bytes);
        parameters()->pack(weights());
    }

    TrialResult run() {
        if (!resume()) evaluate_into(new_row(0));
        const std::int64_t first_step = result_.steps_done + 1;
        const double initial_loss = result_.curve.front().validation_loss;
        auto next_evaluation =
            std::lower_bound(trial_.evaluation.steps.begin(), trial_.evaluation.steps.end(), first_step);
        const std::int64_t last_step =
            options_.stop_after_step < 0 ? trial_.steps : std::min(trial_.steps, options_.stop_after_step);

        for (std::int64_t step = first_step; step <= last_step; ++step) {
            const bool go_on = take_step(step);
            if (!std::isfinite(step_loss_) || !std::isfinite(gradient_norm_))
                return ended(Outcome::diverged, "the loss or its gradient is not a number at step " +
                                                    std::to_string(step) + " (lower recipe.learning_rate)");
            const bool evaluates =
                next_evaluation != trial_.evaluation.steps.end() && *next_evaluation == step;
            if (evaluates || has_row(step) || trial_.changes_batch_after(step) || step == last_step) {
                CurvePoint& row = new_row(step);
                if (evaluates) {
                    evaluate_into(row);
                    ++next_evaluation;
                    if (row.validation_loss <= trial_.stop_loss && may_stop(step)) {
                        finish(step);
                        return std::move(result_);
                    }
                }
                if (step > trial_.schedule.warmup_steps && above_start(row, initial_loss))
                    return ended(Outcome::diverged, "the loss at step " + std::to_string(step) +
                                                        " is above the loss it started from");
            }
            save_checkpoint(!go_on && step != last_step);
            if (step == last_step) break;
            if (!go_on)
                return ended(Outcome::interrupted, "asked to stop after step " + std::to_string(step));
        }
        finish(last_step);
        return std::move(result_);
    }

  private:
    /// A program for each thread, all under the same weights: those given, or new ones.
    static std::vector<Blocks> blocks_of(const study::Trial& trial, int threads, kernels::Backend& backend,
                                         std::shared_ptr<graph::PackedParameters> parameters) {
        std::vector<Blocks> blocks;
        for (int member = 0; member < threads; ++member) {
            blocks.emplace_back(training_graph(trial, backend), backend, parameters);
            parameters = blocks.front().program().parameters();
        }
        return blocks;
    }

    /// A batch of another size has other blocks, and another share of each loss in their gradient.
    void enter(const study::BatchStage& stage) {
        if (stage == stage_) return;
        if (stage.batch != stage_.batch) {
            const std::shared_ptr<graph::PackedParameters> kept = parameters();
            blocks_ = blocks_of(trial_.within(stage), team_.size(), backend_, kept);
        }
        stage_ = stage;
    }

    /// What others share with this trial until its batch changes may be better than its last target.
    bool may_stop(std::int64_t step) const {
        return trial_.batch_schedule.empty() || step > trial_.batch_schedule.front().step;
    }

    const graph::ParameterLayout& layout() const { return blocks_.front().program().layout(); }
    const std::shared_ptr<graph::PackedParameters>& parameters() const {
        return blocks_.front().program().parameters();
    }

    std::span<float> state(std::int64_t index) {
        const std::int64_t floats = layout().floats;
        return {reinterpret_cast<float*>(state_.get()) + index * floats, static_cast<std::size_t>(floats)};
    }
    std::span<float> weights() { return state(0); }
    std::span<float> first_moment() { return state(1); }
    std::span<float> second_moment() { return state(2); }

    /// The validation loss is always of the same text; a training loss is of one batch, and has its noise.
    static bool above_start(const CurvePoint& row, double initial_loss) {
        return row.validation_loss > initial_loss || row.training_loss > batch_noise_margin * initial_loss;
    }

    /// Trains on one batch. False when a rank was asked to stop.
    bool take_step(std::int64_t step) {
        const bool stop = report_progress();
        enter(trial_.stage_after(step - 1));
        const std::int64_t first = trial_.sequences(step - 1), leaf_batch = stage_.batch / trial_.leaves;
        const LeafSums sums = tree_.reduce([&](std::int64_t leaf, std::span<float> gradient, int member) {
            const double loss = blocks_[static_cast<std::size_t>(member)].run(
                tokens_.training(), leaf_batch,
                [&](std::int64_t sequence) {
                    return sampler_.window_start(first + leaf * leaf_batch + sequence);
                },
                gradient);
            return LeafSums{loss, stop ? 1.0 : 0.0, noise_norms(gradient)};
        });
        noise_.add(sums.norms, noise_norms(tree_.gradient()));
        step_loss_ = sums.loss / static_cast<double>(stage_.batch * trial_.shape.context);
        gradient_norm_ = std::sqrt(backend_.sum_of_squares(tree_.gradient()));
        learning_rate_ =
            trial_.optimizer.learning_rate * schedule_fraction(trial_, step) * stage_.learning_rate_factor;
        loss_since_row_ += step_loss_;
        result_.steps_done = step;
        if (std::isfinite(gradient_norm_)) update_weights(step);
        return sums.stop == 0;
    }

    /// One leaf alone shows no noise.
    GroupNorms noise_norms(std::span<const float> gradient) const {
        return trial_.leaves > 1 ? norms_.of(gradient) : GroupNorms{};
    }

    // Decay takes learning_rate * weight_decay of a weight whatever the tensor's own learning rate, so that
    // muP's smaller rates do not also weaken the decay (Wang and Aitchison 2024).
    void update_weights(std::int64_t step) {
        const study::Optimizer& optimizer = trial_.optimizer;
        const bool clips = optimizer.gradient_clip > 0 && gradient_norm_ > optimizer.gradient_clip;
        for (std::size_t i = 0; i < model_.roles.size(); ++i) {
            const model::TensorRule rule = tensor_rule(model_.roles[i], trial_.shape, trial_.parametrization);
            const auto slice = [&](std::span<float> flat) {
                return flat.subspan(static_cast<std::size_t>(layout().offsets[i]),
                                    static_cast<std::size_t>(layout().sizes[i]));
            };
            backend_.adamw(
                {.step = step,
                 .learning_rate = static_cast<float>(learning_rate_ * rule.learning_rate_multiplier),
                 .beta1 = static_cast<float>(optimizer.beta1),
                 .beta2 = static_cast<float>(optimizer.beta2),
                 .epsilon = static_cast<float>(optimizer.epsilon),
                 .decay = static_cast<float>(rule.decays ? learning_rate_ * optimizer.weight_decay : 0),
                 .gradient_scale =
                     clips ? static_cast<float>(optimizer.gradient_clip / gradient_norm_) : 1.0f},
                slice(tree_.gradient()), slice(weights()), slice(first_moment()), slice(second_moment()));
        }
        parameters()->pack(weights());
    }

    CurvePoint& new_row(std::int64_t step) {
        CurvePoint row;
        row.step = step;
        row.tokens = trial_.tokens_after(step);
        row.flops = exact_flops_per_token_ * static_cast<double>(row.tokens);
        const std::int64_t before = result_.curve.empty() ? 0 : result_.curve.back().step;
        row.training_loss = loss_since_row_ / static_cast<double>(step - before);  // not a number at step 0
        row.learning_rate = learning_rate_;
        row.gradient_norm = gradient_norm_;
        noise_.take(row, stage_.batch);
        loss_since_row_ = 0;
        result_.curve.push_back(row);
        return result_.curve.back();
    }

    void evaluate_into(CurvePoint& row) { row.validation_loss = evaluation_.loss(); }

    TrialResult ended(Outcome outcome, std::string cause) {
        result_.outcome = outcome;
        result_.cause = std::move(cause);
        return std::move(result_);
    }

    void finish(std::int64_t last_step) {
        result_.outcome = Outcome::completed;
        result_.steps_done = last_step;
        result_.training_loss = result_.curve.back().training_loss;
        if (std::isnan(result_.curve.back().validation_loss)) evaluate_into(result_.curve.back());
        result_.validation_loss = result_.curve.back().validation_loss;
        const data::TokenFileHeader& corpus = tokens_.header();
        result_.bits_per_byte = result_.validation_loss / std::numbers::ln2 *
                                static_cast<double>(corpus.validation_tokens) /
                                static_cast<double>(corpus.validation_bytes);
        tree_.release();  // a copy of the weights takes the gradient's place, so that memory does not peak
                          // here
        std::vector<float> packed = packed_from(weights());
        result_.weights_digest = study::sha256(std::as_bytes(std::span<const float>(packed)));
        if (options_.keep_weights) result_.weights = std::move(packed);
    }

    /// The numbers of a buffer of the state in the model's parameter order, without what the layout leaves
    /// between tensors.
    std::vector<float> packed_from(std::span<const float> buffer) {
        std::vector<float> packed;
        packed.reserve(buffer.size());
        for (std::size_t i = 0; i < layout().sizes.size(); ++i) {
            const std::size_t first = packed.size(), size = static_cast<std::size_t>(layout().sizes[i]);
            packed.resize(first + size);
            backend_.copy_out(packed.data() + first, buffer.data() + layout().offsets[i],
                              size * sizeof(float));
        }
        return packed;
    }

    /// The inverse of packed_from.
    void unpack_into(std::span<float> buffer, std::span<const float> packed) {
        std::size_t first = 0;
        for (std::size_t i = 0; i < layout().sizes.size(); ++i) {
            const std::size_t size = static_cast<std::size_t>(layout().sizes[i]);
            backend_.copy_in(buffer.data() + layout().offsets[i], packed.data() + first,
                             size * sizeof(float));
            first += size;
        }
    }

    /// Takes up a checkpoint, if there is one.
    bool resume() {
        if (options_.checkpoints == nullptr) return false;
        const auto checkpoint =
            share_checkpoint(group_, group_.rank() == 0 ? options_.checkpoints->load() : std::nullopt);
        if (!checkpoint) return false;
        unpack_into(weights(), checkpoint->weights);
        unpack_into(first_moment(), checkpoint->first_moment);
        unpack_into(second_moment(), checkpoint->second_moment);
        parameters()->pack(weights());
        result_.steps_done = checkpoint->step;
        result_.curve = checkpoint->curve;
        loss_since_row_ = checkpoint->sums.at(0);
        noise_.restore(std::span<const double>(checkpoint->sums).subspan(1));
        return true;
    }

    /// On the first rank, after a step and its row of the curve. One that memory has no room for is not worth
    /// the trial.
    void save_checkpoint(bool stopping) {
        if (options_.checkpoints == nullptr || group_.rank() != 0) return;
        if (!stopping && !options_.checkpoints->due(result_.steps_done)) return;
        try {
            std::vector<double> sums = {loss_since_row_};
            for (const double sum : noise_.sums())
                sums.push_back(sum);
            options_.checkpoints->save({.step = result_.steps_done,
                                        .curve = result_.curve,
                                        .sums = std::move(sums),
                                        .weights = packed_from(weights()),
                                        .first_moment = packed_from(first_moment()),
                                        .second_moment = packed_from(second_moment())});
        } catch (const std::bad_alloc&) {
        }
    }

    /// Tells whoever listens, now and then; true when they ask to stop.
    bool report_progress() {
        using Clock = std::chrono::steady_clock;
        const auto now = Clock::now();
        if (!options_.on_progress || now - reported_ < progress_interval) return false;
        const double seconds = std::chrono::duration<double>(now - reported_).count();
        const auto tokens = static_cast<double>(trial_.tokens_after(result_.steps_done) -
                                                trial_.tokens_after(reported_steps_));
        const double speed = reported_.time_since_epoch().count() == 0 ? 0 : tokens / seconds;
        reported_ = now;
        reported_steps_ = result_.steps_done;
        return !options_.on_progress({result_.steps_done, trial_.steps, speed, step_loss_});
    }

    const study::Trial& trial_;
    const data::TokenFile& tokens_;
    kernels::Backend& backend_;
    Communicator& group_;
    const TrainOptions& options_;

    data::Sampler sampler_;
    model::Llama model_;
    double exact_flops_per_token_;
    ThreadTeam team_;
    std::vector<Blocks> blocks_;  ///< by member of the team
    Evaluation evaluation_;
    ReductionTree tree_;
    NormsByGroup norms_;
    NoiseMeter noise_;
    study::BatchStage stage_;  ///< that blocks_ are of
    kernels::Storage state_;   ///< weights, first moment, second moment

    double step_loss_ = 0, loss_since_row_ = 0, gradient_norm_ = 0, learning_rate_ = 0;
    std::chrono::steady_clock::time_point reported_{};
    std::int64_t reported_steps_ = 0;
    TrialResult result_;
};

}  // namespace

TrialResult train(const study::Trial& trial, const data::TokenFile& tokens, kernels::Backend& backend,
                  Communicator& group, const TrainOptions& options) {
    assert(trial.leaves % group.size() == 0);
    return Trainer(trial, tokens, backend, group, options).run();
}

}  // namespace isogrid::train
