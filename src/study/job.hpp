// What a job file says (docs/job-file.md), as values: read by study/job_reader, checked by study/job_check.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fault.hpp"
#include "study/studies.hpp"
#include "study/trial.hpp"

namespace isogrid::study {

/// [model]: the ladder of shapes that trials choose from.
struct Ladder {
    std::vector<std::int64_t> widths;
    double aspect_ratio = 32;      ///< width / depth; depth = max(1, round(width / aspect_ratio))
    std::int64_t depth = 0;        ///< layers of every shape; 0: by aspect_ratio
    std::int64_t head_width = 16;  ///< heads = width / head_width
    double mlp_ratio = 8.0 / 3.0;  ///< mlp_width = mlp_ratio * width rounded up to a multiple of 8
    std::int64_t context = 128;
    bool tied_head = false;
};

/// [recipe]: how each trial is trained; fractions become steps once a trial's length is known.
struct Recipe {
    Parametrization parametrization;
    Optimizer optimizer;
    ScheduleKind schedule = ScheduleKind::cosine;
    double warmup_fraction = 0.1;    ///< of the trial's steps
    std::int64_t warmup_tokens = 0;  ///< warm-up of every trial; 0: by warmup_fraction
    double decay_fraction = 0.2;     ///< of the trial's steps; warmup_stable_decay only
    double final_fraction = 0.1;     ///< last learning rate over the peak
    Precision precision = Precision::float32;
    std::int64_t batch = 16;                          ///< sequences a step
    std::vector<BatchChange> batch_schedule;          ///< changes of the batch, by rising tokens
    BatchRule batch_schedule_rule = BatchRule::none;  ///< how the learning rate changes with it
    std::int64_t leaves = 4;  ///< power of two dividing batch; the most ranks a trial can use
    GradientSum gradient_sum = GradientSum::tree;
};

/// [evaluation]
struct EvaluationPlan {
    std::int64_t tokens = 131072;  ///< of the fixed validation set; cut to whole sequences
    std::int64_t points = 10;      ///< evaluations a trial, evenly spaced in log tokens, the last at its end
    EvaluationSample sample = EvaluationSample::first;  ///< which tokens of the validation part
};

/// [run]: what trials are trained on; `automatic` takes cards where every rank has one.
enum class Device { automatic, cpu, cuda };
inline constexpr std::array devices = {Device::automatic, Device::cpu, Device::cuda};
std::string_view name(Device device);  ///< `auto`, `cpu`, `cuda`

struct Job {
    std::string name;
    std::uint64_t seed = 1;
    double scale = 1;                  ///< by which all budgets and token counts here have been multiplied
    std::string tokens;                ///< the token file as the job file names it
    std::filesystem::path token_file;  ///< the same, resolved against the job file's folder
    Ladder ladder;
    Recipe recipe;
    Isoflop isoflop;  ///< without budgets where the job has no such table
    std::optional<CriticalBatch> critical_batch;
    std::optional<BatchRamp> batch_ramp;
    std::optional<LearningRates> learning_rate;
    std::optional<MupLadder> mup;
    std::optional<Decays> wsd;
    std::optional<Repetition> repetition;
    std::optional<DataSize> data_size;
    std::optional<Schedules> schedules;
    std::optional<Validation> validation;
    EvaluationPlan evaluation;
    std::int64_t ranks_per_trial = 0;   ///< [run]; power of two; 0 lets the scheduler choose
    std::int64_t trials_per_card = 0;   ///< [run]; at once; 0 lets measured speeds choose
    double checkpoint_minutes = 10;     ///< [run]; between two checkpoints of a trial; 0: only when stopped
    std::int64_t threads_per_rank = 1;  ///< [run]; threads that a rank computes with
    Device device = Device::cpu;        ///< [run]; not part of a trial's identity; kept in its provenance
    bool keep_weights = true;           ///< [run]; store final weights in the archive
    bool keep_trunks = false;           ///< [run]; keep trunks' checkpoints, for branches of later studies

    std::filesystem::path path;  ///< of the job file
    std::string text;            ///< the job file as read
};

/// What a study needs to know of its token file, which src/data reads.
struct CorpusFacts {
    std::int64_t vocabulary = 0, training_tokens = 0, validation_tokens = 0;
    std::string digest;
    std::string tokenizer = {};  ///< as data::TokenFileHeader names it
};

}  // namespace isogrid::study
