// One trial: everything its result depends on, and nothing else. A trial's result is a pure function of this.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "study/flops.hpp"
#include "study/shape.hpp"

namespace isogrid::study {

/// Raised whenever a change to the code alters the bits of any trial's result. Part of a trial's identity.
inline constexpr int numerics_version = 6;

enum class ParametrizationKind { standard, mup, minicpm };

/// How initialization, learning rates and multipliers follow the width (docs/methods.md, "Parametrizations").
struct Parametrization {
    ParametrizationKind kind = ParametrizationKind::mup;
    std::int64_t base_width = 64;       ///< muP: the width at which nothing is scaled by width
    double initial_deviation = 0.02;    ///< standard deviation of weights at base_width
    double embedding_multiplier = 1.0;  ///< scales the embedding's output
    double attention_multiplier = 1.0;  ///< scales q.k, on top of 1 / sqrt(head_width)
    double output_multiplier = 1.0;     ///< scales the logits, on top of muP's base_width / width
    double residual_multiplier = 1.4;   ///< minicpm only: over sqrt(depth), scales what a block adds
    bool operator==(const Parametrization&) const = default;
};

/// AdamW with decoupled decay (Loshchilov and Hutter 2019), none on gains.
struct Optimizer {
    double learning_rate = 0;  ///< peak
    double beta1 = 0.9;
    double beta2 = 0.95;
    double epsilon = 1e-8;
    double weight_decay = 0.1;
    double gradient_clip = 1.0;  ///< largest global norm; 0 means none
    bool operator==(const Optimizer&) const = default;
};

enum class ScheduleKind { constant, cosine, linear, warmup_stable_decay };

/// How the learning rate comes down in the final decay of warmup_stable_decay.
enum class DecayForm { linear, cosine, square_root };

struct Schedule {
    ScheduleKind kind = ScheduleKind::cosine;
    std::int64_t warmup_steps = 0;
    std::int64_t decay_steps = 0;         ///< warmup_stable_decay only: length of the final decay
    double final_fraction = 0.1;          ///< last learning rate over the peak
    DecayForm decay = DecayForm::linear;  ///< warmup_stable_decay only
    std::int64_t horizon_steps =
        0;  ///< cosine, linear: where they end; 0: at the trial's end, else not before
    bool operator==(const Schedule&) const = default;
};

/// Which sequences of a token file's validation part the validation set is: its first ones, or as many that
/// are spread evenly over all of it.
enum class EvaluationSample { first, spread };

struct Evaluation {
    std::int64_t tokens = 0;          ///< size of the fixed validation set, a multiple of the context
    std::vector<std::int64_t> steps;  ///< evaluate after these steps, rising; the last one is the trial's end
    EvaluationSample sample = EvaluationSample::first;
    bool operator==(const Evaluation&) const = default;
};

/// Of activations and matrix products. Weights, optimizer, sums and losses are float32 (or wider) in both.
enum class Precision { float32, bfloat16 };

/// In which order the gradients of a trial's ranks are added up. `tree`: in one that does not depend on their
/// number. `all_reduce`: between cards in the order that NCCL finds fastest, so that results may differ with
/// the number and places of the ranks.
enum class GradientSum { tree, all_reduce };

/// Batches of another size after so many steps.
struct BatchStage {
    std::int64_t step = 0;            ///< steps that are done before; the first stage of a trial has no entry
    std::int64_t batch = 0;           ///< sequences a step, a multiple of the trial's leaves
    double learning_rate_factor = 1;  ///< on what the schedule says, as long as the stage lasts
    bool operator==(const BatchStage&) const = default;
};

struct Trial {
    int numerics =
        numerics_version;  ///< the version whose bits these are: that of the program that trains it
    Shape shape;
    Parametrization parametrization;
    Optimizer optimizer;
    Schedule schedule;
    Evaluation evaluation;
    Precision precision = Precision::float32;
    std::int64_t batch = 0;                  ///< sequences a step, until batch_schedule says another
    std::vector<BatchStage> batch_schedule;  ///< by rising steps, from 1 on
    std::int64_t leaves = 1;  ///< power of two dividing every batch: the canonical reduction tree's width
    GradientSum gradient_sum = GradientSum::tree;  ///< between ranks
    std::int64_t steps = 0;
    std::uint64_t seed = 0;
    std::string token_digest;        ///< SHA-256 of the token file's content
    std::int64_t unique_tokens = 0;  ///< repeats so many, drawn from the training part; 0: on all
    /// Ends after the first evaluation at or below this validation loss; 0: at its end. With a batch_schedule
    /// only evaluations after its first change count.
    double stop_loss = 0;

    std::int64_t leaf_batch() const { return batch / leaves; }              ///< sequences a leaf, at first
    std::int64_t tokens_per_step() const { return batch * shape.context; }  ///< at first

    /// The stage that the step after `done` steps is in.
    BatchStage stage_after(std::int64_t done) const;
    /// Sequences of the first `done` steps; past the trial's end the last stage is assumed to continue.
    std::int64_t sequences(std::int64_t done) const;
    /// The number of steps after which that is nearest to `sequences`.
    std::int64_t steps_to(double sequences) const;
    std::int64_t tokens_after(std::int64_t done) const { return sequences(done) * shape.context; }
    std::int64_t tokens() const { return tokens_after(steps); }
    /// The share (0 to 1) of its tokens that it has trained on after `done` steps.
    double part_done(std::int64_t done) const;
    /// The trial as if `stage` lasted throughout; only for building the graph of a step.
    Trial within(const BatchStage& stage) const;
    bool changes_batch_after(std::int64_t done) const;
    /// Tokens that it draws from, of a training part of `all`.
    std::int64_t drawn_from(std::int64_t all) const {
        return unique_tokens > 0 && unique_tokens < all ? unique_tokens : all;
    }
    bool operator==(const Trial&) const = default;
};

inline constexpr std::array parametrization_kinds = {ParametrizationKind::standard, ParametrizationKind::mup,
                                                     ParametrizationKind::minicpm};
inline constexpr std::array schedule_kinds = {ScheduleKind::constant, ScheduleKind::cosine,
                                              ScheduleKind::linear, ScheduleKind::warmup_stable_decay};
inline constexpr std::array decay_forms = {DecayForm::linear, DecayForm::cosine, DecayForm::square_root};
inline constexpr std::array precisions = {Precision::float32, Precision::bfloat16};
inline constexpr std::array gradient_sums = {GradientSum::tree, GradientSum::all_reduce};
inline constexpr std::array evaluation_samples = {EvaluationSample::first, EvaluationSample::spread};

/// The word that job files and canonical texts use for it.
std::string_view name(ParametrizationKind kind);
std::string_view name(ScheduleKind kind);
std::string_view name(DecayForm form);
std::string_view name(Precision precision);
std::string_view name(GradientSum sum);
std::string_view name(EvaluationSample sample);

/// The canonical specification: JSON, keys sorted, shortest round-trip numbers, numerics version included.
/// Keys that came after version 2 (batch_schedule, evaluation.sample, gradient_sum, schedule.decay,
/// parametrization.residual_multiplier, schedule.horizon_steps, stop_loss, unique_tokens) stand there only
/// where they are not at their default.
std::string canonical_text(const Trial& trial);

/// Inverse of canonical_text, of this numerics version or an earlier one; throws std::invalid_argument on
/// other text.
Trial parse_canonical_text(std::string_view text);

/// SHA-256 of the canonical text: 64 hexadecimal digits.
std::string identity(const Trial& trial);

/// What stands among PlannedTrial::studies of a trial that only others go on from: no law is fitted to it.
inline constexpr std::string_view trunk_study = "trunk";

/// A trial's place in a study: why it is run and what it costs.
struct PlannedTrial {
    std::string name;                  ///< unique in the grid, for people: `b3-w64-d4`
    std::vector<std::string> studies;  ///< that it is part of, by their table in the job file: `isoflop`
    std::string variant;               ///< which of the recipes that its study compares; empty when one
    double budget = 0;  ///< FLOPs of the isoFLOP budget it belongs to, in the job's convention; 0 when none
    Trial trial;
    ParameterCounts parameters;
    FlopsPerToken flops_per_token;

    double flops(FlopConvention convention) const {
        return flops_per_token.under(convention) * static_cast<double>(trial.tokens());
    }
    double tokens_per_parameter() const {
        return static_cast<double>(trial.tokens()) / static_cast<double>(parameters.total());
    }
    bool operator==(const PlannedTrial&) const = default;
};

}  // namespace isogrid::study
