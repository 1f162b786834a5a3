// One trial from step 0 to its outcome.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "archive/record.hpp"
#include "data/token_file.hpp"
#include "kernels/backend.hpp"
#include "study/trial.hpp"
#include "train/checkpoint.hpp"
#include "train/communicator.hpp"

namespace isogrid::train {

struct Progress {
    std::int64_t steps_done = 0, steps = 0;
    double tokens_per_second = 0;
    double training_loss = 0;
};

struct TrainOptions {
    /// That this rank computes with, where the backend is on the host; no result depends on it.
    int threads = 1;
    bool keep_weights = true;
    std::int64_t stop_after_step = -1;  ///< end early after this many steps (export --step); -1: never
    std::function<bool(const Progress&)> on_progress;  ///< called about every half second; false interrupts
    CheckpointKeeper* checkpoints = nullptr;           ///< none: begin anew and keep nothing
};

/// Trains `trial` and returns its result, the same on every rank of `group`: bit for bit the same whatever
/// the group's size, and whether in one go or from a checkpoint to the next. Faults of the trial itself are
/// outcomes of the result, not exceptions.
archive::TrialResult train(const study::Trial& trial, const data::TokenFile& tokens,
                           kernels::Backend& backend, Communicator& group, const TrainOptions& options);

}  // namespace isogrid::train
