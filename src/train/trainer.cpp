#include "train/trainer.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/digest.hpp"
#include "data/sampler.hpp"
#include "model/llama.hpp"
#include "train/divergence.hpp"
#include "train/evaluation.hpp"
#include "train/gradient_noise.hpp"
#include "train/schedule.hpp"
#include "train/step.hpp"

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

data::Sampler sampler_of(const study::Trial& trial, std::int64_t training_tokens) {
    return {trial.seed, training_tokens, trial.drawn_from(training_tokens), trial.shape.context};
}

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
          sampler_(sampler_of(trial, static_cast<std::int64_t>(tokens.training().size()))),
          exact_flops_per_token_(model::exact_flops_per_token(trial.shape)),
          step_(trial, backend, group, options.threads),
          evaluation_(trial, tokens, backend, group, step_.team(), step_.parameters()) {}
    ~Trainer() { step_.end_links(); }  // the evaluation's memory is freed before the step is destroyed
    Trainer(const Trainer&) = delete;
    Trainer& operator=(const Trainer&) = delete;

    TrialResult run() {
        if (!resume()) evaluate_into(new_row(0));
        std::int64_t step = result_.steps_done;
        auto next_evaluation =
            std::upper_bound(trial_.evaluation.steps.begin(), trial_.evaluation.steps.end(), step);
        const std::int64_t last_step =
            options_.stop_after_step < 0 ? trial_.steps : std::min(trial_.steps, options_.stop_after_step);

        while (step < last_step) {
            const std::int64_t first = step + 1;
            step = last_of_launch(first, last_step);
            const bool go_on = take_steps(first, step);
            const bool evaluates =
                next_evaluation != trial_.evaluation.steps.end() && *next_evaluation == step;
            if (evaluates || has_row(step) || trial_.changes_batch_after(step) || step == last_step) {
                if (!is_sound()) return ended_unsound();
                CurvePoint& row = new_row(step);
                if (evaluates) {
                    evaluate_into(row);
                    ++next_evaluation;
                    if (reaches_stop_loss(row) && may_stop(step)) return finished(step);
                }
                const std::string cause = divergence(result_.curve, trial_.schedule.warmup_steps);
                if (!cause.empty()) return ended(Outcome::diverged, cause);
            }
            const bool stops = !go_on && step != last_step;  // the same on every rank
            // Only the first rank keeps checkpoints: what it finds here must not end its part alone.
            if (wants_checkpoint(stops) && is_sound()) save_checkpoint();
            if (stops) {
                if (!is_sound()) return ended_unsound();
                return ended(Outcome::interrupted, "asked to stop after step " + std::to_string(step));
            }
        }
        return finished(last_step);
    }

  private:
    /// A stop_loss of 0 is none, even for a model whose loss is 0.
    bool reaches_stop_loss(const CurvePoint& row) const {
        return trial_.stop_loss > 0 && row.validation_loss <= trial_.stop_loss;
    }

    /// Until its batch changes it is one with the trunk that others leave too, which stops at no loss.
    bool may_stop(std::int64_t step) const {
        return trial_.batch_schedule.empty() || step > trial_.batch_schedule.front().step;
    }

    /// The last of the steps from `first` on that make one launch: after none of the others does anybody look
    /// at the state.
    std::int64_t last_of_launch(std::int64_t first, std::int64_t last_step) {
        step_.enter(trial_.stage_after(first - 1));
        std::int64_t last = first;
        while (last < last_step && last - first + 1 < step_.most_at_once() && !is_looked_at(last))
            ++last;
        const auto count = static_cast<std::uint64_t>(last - first + 1);
        return first + static_cast<std::int64_t>(std::bit_floor(count)) - 1;
    }
    bool is_looked_at(std::int64_t step) const {
        return has_row(step) || trial_.changes_batch_after(step) ||
               std::ranges::binary_search(trial_.evaluation.steps, step) ||
               (options_.checkpoints != nullptr && options_.checkpoints->wanted(step));
    }

    /// Trains on the batches of steps `first` to `last`. False when a rank was asked to stop.
    bool take_steps(std::int64_t first, std::int64_t last) {
        const bool stop = report_progress();
        const std::int64_t first_row = trial_.sequences(first - 1);
        std::vector<double> rates;
        for (std::int64_t step = first; step <= last; ++step)
            rates.push_back(learning_rate(step));
        const bool stops = step_.take(
            first, rates, tokens_.training(),
            [&](std::int64_t row) { return sampler_.window_start(first_row + row); }, stop);
        result_.steps_done = last;
        return !stops;
    }

    /// Waits for the steps taken so far, and says whether all of them had a loss and a gradient.
    bool is_sound() {
        standing_ = step_.standing();
        return standing_.ended_at == 0;
    }

    TrialResult ended_unsound() {
        result_.steps_done = standing_.ended_at;
        return ended(Outcome::diverged, "the loss or its gradient is not a number at step " +
                                            std::to_string(standing_.ended_at) +
                                            " (lower recipe.learning_rate)");
    }

    double learning_rate(std::int64_t step) const {
        return trial_.optimizer.learning_rate * schedule_fraction(trial_, step) *
               trial_.stage_after(step - 1).learning_rate_factor;
    }

    std::int64_t steps_since_row() const {
        return result_.curve.empty() ? 0 : result_.steps_done - result_.curve.back().step;
    }

    CurvePoint& new_row(std::int64_t step) {
        CurvePoint row;
        row.step = step;
        row.tokens = trial_.tokens_after(step);
        row.flops = exact_flops_per_token_ * static_cast<double>(row.tokens);
        const std::int64_t steps = steps_since_row();
        row.training_loss = standing_.loss_sum / static_cast<double>(steps);  // not a number at step 0
        row.learning_rate = step > 0 ? learning_rate(step) : 0;
        row.gradient_norm = standing_.gradient_norm;
        if (step > 0)
            write_noise(row, step_.noise_sums(), steps, trial_.leaves, trial_.stage_after(step - 1).batch);
        step_.set_sums(0, {});
        result_.curve.push_back(row);
        return result_.curve.back();
    }

    void evaluate_into(CurvePoint& row) { row.validation_loss = evaluation_.loss(); }

    TrialResult ended(Outcome outcome, std::string cause) {
        result_.outcome = outcome;
        result_.cause = std::move(cause);
        return std::move(result_);
    }

    /// Of the text that losses are of. The counts are of all held-out text: where tokens are no bytes, the
    /// first of it may have others, and then it is not a number; nor is it where nobody knows the bytes.
    double tokens_per_byte() const {
        const data::TokenFileHeader& corpus = tokens_.header();
        const bool is_of_all = trial_.evaluation.sample == study::EvaluationSample::spread ||
                               trial_.evaluation.tokens + trial_.shape.context >= corpus.validation_tokens;
        const bool are_bytes = corpus.validation_tokens == corpus.validation_bytes;
        if (corpus.validation_bytes == 0 || (!is_of_all && !are_bytes))
            return std::numeric_limits<double>::quiet_NaN();
        return static_cast<double>(corpus.validation_tokens) / static_cast<double>(corpus.validation_bytes);
    }

    /// No further step shows whether the weights that the last one left have a loss.
    TrialResult finished(std::int64_t last_step) {
        result_.steps_done = last_step;
        CurvePoint& last = result_.curve.back();
        if (std::isnan(last.validation_loss)) evaluate_into(last);
        if (!std::isfinite(last.validation_loss))
            return ended(Outcome::diverged, "the validation loss after step " + std::to_string(last_step) +
                                                " is not a number (lower recipe.learning_rate)");
        if (last_step == trial_.steps)
            if (const std::string cause = divergence_at_end(result_.curve, trial_.schedule.warmup_steps);
                !cause.empty())
                return ended(Outcome::diverged, cause);
        result_.training_loss = last.training_loss;
        result_.validation_loss = last.validation_loss;
        result_.bits_per_byte = result_.validation_loss / std::numbers::ln2 * tokens_per_byte();
        step_.release_gradient();  // a copy of the weights takes the gradient's place, so that memory does
                                   // not peak here
        std::vector<float> packed = packed_from(step_.weights());
        result_.weights_digest = base::sha256(std::as_bytes(std::span<const float>(packed)));
        if (options_.keep_weights) result_.weights = std::move(packed);
        return ended(Outcome::completed, "");
    }

    /// The numbers of a buffer of the state in the model's parameter order, without what the layout leaves
    /// between tensors.
    std::vector<float> packed_from(std::span<const float> buffer) {
        std::vector<float> packed;
        packed.reserve(buffer.size());
        for_each_tensor(step_.layout(), [&](std::size_t packed_first, std::size_t laid_first,
                                            std::size_t size) {
            packed.resize(packed_first + size);
            backend_.copy_out(packed.data() + packed_first, buffer.data() + laid_first, size * sizeof(float));
        });
        return packed;
    }

    /// The inverse of packed_from.
    void unpack_into(std::span<float> buffer, std::span<const float> packed) {
        for_each_tensor(step_.layout(), [&](std::size_t packed_first, std::size_t laid_first,
                                            std::size_t size) {
            backend_.copy_in(buffer.data() + laid_first, packed.data() + packed_first, size * sizeof(float));
        });
    }

    /// Takes up a checkpoint, if there is one.
    bool resume() {
        if (options_.checkpoints == nullptr) return false;
        const auto checkpoint =
            share_checkpoint(group_, group_.rank() == 0 ? options_.checkpoints->load() : std::nullopt);
        if (!checkpoint) return false;
        unpack_into(step_.weights(), checkpoint->weights);
        unpack_into(step_.first_moment(), checkpoint->first_moment);
        unpack_into(step_.second_moment(), checkpoint->second_moment);
        step_.parameters()->pack(step_.weights());
        result_.steps_done = checkpoint->step;
        result_.curve = checkpoint->curve;
        step_.set_sums(checkpoint->sums.loss, {checkpoint->sums.of_leaves, checkpoint->sums.of_batch});
        return true;
    }

    /// Whether to save one after this step: on the first rank, and after the step's row of the curve.
    bool wants_checkpoint(bool stops) {
        if (options_.checkpoints == nullptr || group_.rank() != 0) return false;
        return stops || options_.checkpoints->due(result_.steps_done);
    }

    void save_checkpoint() {
        try {
            options_.checkpoints->save({.step = result_.steps_done,
                                        .curve = result_.curve,
                                        .sums = sums_since_row(),
                                        .weights = packed_from(step_.weights()),
                                        .first_moment = packed_from(step_.first_moment()),
                                        .second_moment = packed_from(step_.second_moment())});
        } catch (const std::bad_alloc&) {
            options_.checkpoints->found_no_memory(result_.steps_done);
        }
    }

    archive::RowSums sums_since_row() const {
        const NoiseSums noise = step_.noise_sums();
        return {standing_.loss_sum, static_cast<double>(steps_since_row()), noise.of_leaves, noise.of_batch};
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
        return !options_.on_progress({result_.steps_done, trial_.steps, speed, step_.standing().loss});
    }

    const study::Trial& trial_;
    const data::TokenFile& tokens_;
    kernels::Backend& backend_;
    Communicator& group_;
    const TrainOptions& options_;

    data::Sampler sampler_;
    double exact_flops_per_token_;
    Step step_;
    Evaluation evaluation_;

    kernels::Standing standing_;  ///< when it was last asked for
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
