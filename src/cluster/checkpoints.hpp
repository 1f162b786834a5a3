// The checkpoints of a run folder: OUT.h5.d/checkpoints/NAME-IDENTITY.STEP.h5, two generations a trial.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "archive/durable_file.hpp"
#include "study/branches.hpp"
#include "study/trial.hpp"
#include "train/checkpoint.hpp"

namespace isogrid::cluster {

/// A checkpoint's file, by the step that its name says.
struct CheckpointFile {
    std::filesystem::path path;
    std::int64_t step = 0;
};

/// A trial's checkpoints, the newest first, by their names alone. None where the folder is missing.
std::vector<CheckpointFile> checkpoints_of(const std::filesystem::path& folder,
                                           const study::PlannedTrial& trial);

/// Steps that the newest checkpoint of each trial has done, by the beginning of the file's name
/// (archive::trial_file_stem): what a plan may count as done, though reading may show it to be unusable.
std::map<std::string, std::int64_t> newest_checkpoints(const std::filesystem::path& folder);

/// Removes all checkpoints of a trial; what cannot be removed stays.
void remove_checkpoints(const std::filesystem::path& folder, const study::PlannedTrial& trial);

/// Saves every so often, and keeps the newest two: should the newest turn out damaged, the older one serves.
class TrialCheckpoints final : public train::CheckpointKeeper {
  public:
    /// `minutes` between two checkpoints; with 0 the trial saves only when it is asked to stop, and where
    /// `branches` leave it: each finds a checkpoint of its own there.
    TrialCheckpoints(std::filesystem::path folder, const study::PlannedTrial& trial,
                     std::string instruction_set, archive::Writer writer, double minutes,
                     std::vector<study::Branch> branches = {});

    /// The newest that read_checkpoint accepts. Those it does not are named on standard error, with the
    /// reason.
    std::optional<archive::Checkpoint> load() override;
    bool due(std::int64_t step) override;
    bool wanted(std::int64_t step) const override;
    void save(archive::Checkpoint checkpoint) override;

    /// Steps that were done when load() found them; 0 where the trial began anew.
    std::int64_t taken_up_at() const { return taken_up_at_; }

  private:
    using Clock = std::chrono::steady_clock;

    std::filesystem::path folder_;
    const study::PlannedTrial& trial_;
    std::string instruction_set_;
    archive::Writer writer_;
    Clock::duration interval_;
    Clock::time_point saved_ = Clock::now();
    std::vector<study::Branch> branches_;
    std::int64_t taken_up_at_ = 0;
};

}  // namespace isogrid::cluster
