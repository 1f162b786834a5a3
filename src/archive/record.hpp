// What a finished trial leaves behind, as plain values. No HDF5 here: the trainer makes these.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "study/trial.hpp"

namespace isogrid::archive {

/// How a trial ended. All of them are data; only the first two are results.
enum class Outcome : std::int32_t { completed, diverged, out_of_memory, failed, interrupted };
std::string_view name(Outcome outcome);

/// One row of a trial's curve. validation_loss is NaN where no evaluation was made.
struct CurvePoint {
    std::int64_t step = 0;     ///< steps finished
    std::int64_t tokens = 0;   ///< tokens trained on so far
    double flops = 0;          ///< exact graph FLOPs so far
    double training_loss = 0;  ///< nats a token, mean over the steps since the row before
    double validation_loss = std::numeric_limits<double>::quiet_NaN();  ///< nats a token
    double learning_rate = 0;                                           ///< of the last step
    double gradient_norm = 0;                                           ///< of the last step, before clipping
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
    std::string instruction_set;
    std::int64_t ranks = 1;
    double started_unix = 0;
    double seconds = 0;
    double tokens_per_second = 0;
};

struct TrialRecord {
    study::PlannedTrial planned;
    TrialResult result;
    TrialProvenance provenance;
};

/// SHA-256 over specification, outcome, curve, losses and weights_digest: 64 hexadecimal digits. Not
/// provenance, and not `weights` itself, so that an archive kept without weights has the same digest.
std::string digest(const TrialRecord& record);

}  // namespace isogrid::archive
