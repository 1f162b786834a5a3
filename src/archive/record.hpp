// What a finished trial leaves behind, as plain values. No HDF5 here: the trainer makes these.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "study/parameter_group.hpp"
#include "study/trial.hpp"

namespace isogrid::archive {

/// How a trial ended. All of them are data; only the first two are results.
enum class Outcome : std::int32_t { completed, diverged, out_of_memory, failed, interrupted };
std::string_view name(Outcome outcome);

/// The inverse of name(); nothing for a text that names no outcome.
std::optional<Outcome> parse_outcome(std::string_view text);

/// True for completed and diverged: such a trial is never run again.
bool is_finished(Outcome outcome);

/// True for failed and out_of_memory: such a trial is tried again, unless that has been done often enough.
bool is_failure(Outcome outcome);

/// What the leaves of a batch say of its gradient: unbiased estimates, means over the steps since the row
/// before (McCandlish et al. 2018, arXiv 1812.06162, appendix A.1). Not numbers where a batch is one leaf.
/// One step's estimate may be negative: take the ratio of means, not the mean of ratios.
struct GradientNoise {
    double signal = std::numeric_limits<double>::quiet_NaN();    ///< |G|^2, of the gradient without noise
    double variance = std::numeric_limits<double>::quiet_NaN();  ///< tr(Sigma), of one sequence's gradient
};

/// One row of a trial's curve. validation_loss is NaN where no evaluation was made.
struct CurvePoint {
    std::int64_t step = 0;     ///< steps finished
    std::int64_t tokens = 0;   ///< tokens trained on so far
    double flops = 0;          ///< exact graph FLOPs so far
    double training_loss = 0;  ///< nats a token, mean over the steps since the row before
    double validation_loss = std::numeric_limits<double>::quiet_NaN();  ///< nats a token
    double learning_rate = 0;                                           ///< of the last step
    double gradient_norm = 0;                                           ///< of the last step, before clipping
    GradientNoise noise = {};                                           ///< of all parameters
    std::array<GradientNoise, study::parameter_groups.size()> noise_of_group{};  ///< by ParameterGroup
};

/// The result of training: a pure function of the trial's specification.
struct TrialResult {
    Outcome outcome = Outcome::failed;
    std::string cause;  ///< empty when completed
    std::int64_t steps_done = 0;
    std::vector<CurvePoint> curve;  ///< by step, rising; the first row is step 0 (evaluated before training)
    double training_loss = std::numeric_limits<double>::quiet_NaN();    ///< nats a token, last row
    double validation_loss = std::numeric_limits<double>::quiet_NaN();  ///< nats a token, at the end
    double bits_per_byte = std::numeric_limits<double>::quiet_NaN();    ///< the same on the scale of the text
    std::string weights_digest;  ///< SHA-256 of the final float32 weights in the model's parameter order
    std::vector<float> weights;  ///< the final weights, or empty when not kept
};

/// What varies from run to run and is left out of every digest.
struct TrialProvenance {
    std::string host;
    std::string processor;
    std::string instruction_set;
    std::string code_revision;        ///< git revision of the program that trained it
    std::string slurm_job;            ///< empty outside Slurm
    std::int64_t slurm_restarts = 0;  ///< how often Slurm had requeued the job
    std::int64_t ranks = 1;
    double started_unix = 0;  ///< seconds since 1970
    double seconds = 0;       ///< from the first step to the last
    double tokens_per_second = 0;
    bool operator==(const TrialProvenance&) const = default;
};

struct TrialRecord {
    study::PlannedTrial planned;
    TrialResult result;
    TrialProvenance provenance;
    std::int64_t index = 0;           ///< place in the study's grid, from 0
    std::int64_t stored_weights = 0;  ///< set by readers: how many weights the file keeps of this trial
    std::string stored_digest;        ///< set by readers: digest() of the record as it was read
};

/// SHA-256 of the record's canonical bytes: 64 hexadecimal digits. Everything counts (place in the study,
/// specification, counts, outcome, curve, losses, weights_digest) but provenance and `weights` itself, so an
/// archive kept without weights has the same digest.
///
/// The canonical bytes: each field in the order of docs/archive.md, "Digests"; texts as their length and
/// their bytes, integers as 8 bytes, numbers as the 8 bytes of their IEEE 754 binary64, all little-endian;
/// every NaN is the one 0x7ff8000000000000.
std::string digest(const TrialRecord& record);

/// The record's digest where the canonical text of its trial is at hand.
std::string digest(const TrialRecord& record, std::string_view specification);

}  // namespace isogrid::archive
