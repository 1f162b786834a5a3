// The checkpoints of a run folder: OUT.h5.d/checkpoints/NAME-IDENTITY.STEP.h5, two generations a trial, and
// states that trials share, trunk-IDENTITY.STEP.h5, one each, of the trial of constant rate that ends there.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "archive/durable_file.hpp"
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

/// A state that several trials have, and the trial that ends with it (study::beginning).
struct SharedState {
    CheckpointFile file;
    study::Trial beginning;
};

/// Where the state that `trial` has after `step` would lie; none where it has no beginning there.
std::optional<SharedState> shared_state(const std::filesystem::path& folder, const study::Trial& trial,
                                        std::int64_t step);

/// The shared states in the folder that `trial` can go on from, the latest first, by their names alone.
std::vector<SharedState> shared_states(const std::filesystem::path& folder, const study::Trial& trial);

/// Whether `file` is that of a shared state, by its name.
bool is_shared_state(const std::filesystem::path& file);

/// What is in the folder by the names of its files, looked at once for all trials: what a plan may count as
/// done, though reading may show it to be unusable.
class CheckpointListing {
  public:
    /// Lists the folder; empty where it is missing.
    explicit CheckpointListing(const std::filesystem::path& folder);

    /// The steps of each trial's own checkpoints, by archive::trial_file_stem.
    const std::map<std::string, std::set<std::int64_t>>& steps() const { return steps_; }
    /// Steps that the newest of one trial's own has done; 0 where there is none.
    std::int64_t newest(const std::string& stem) const;
    /// The step of the latest state that `trial` can go on from; 0 where there is none.
    std::int64_t latest_state(const study::Trial& trial) const;

  private:
    std::map<std::string, std::set<std::int64_t>> steps_;
    std::set<std::pair<std::int64_t, std::string>> states_;  ///< steps, and the beginnings of their names
};

/// Removes all checkpoints of a trial; what cannot be removed stays.
void remove_checkpoints(const std::filesystem::path& folder, const study::PlannedTrial& trial);

/// Saves every so often, and keeps the newest two: should the newest turn out damaged, the older one serves.
/// Checkpoints that load() rejected do not count towards the two; they stay until the trial has passed their
/// step. Where others leave the trial it saves one state for all of them, and none of its own.
class TrialCheckpoints final : public train::CheckpointKeeper {
  public:
    /// `minutes` between two checkpoints; with 0 the trial saves only when it is asked to stop, and after the
    /// steps `shared`, its state for others. A checkpoint or state of step `expected` is looked for by its
    /// name: on a network file system a host's listing of the folder may be older than what another one has
    /// just put there, but not its view of a name that it never asked for.
    TrialCheckpoints(std::filesystem::path folder, const study::PlannedTrial& trial,
                     std::string instruction_set, archive::Writer writer, double minutes,
                     std::vector<std::int64_t> shared = {}, std::int64_t expected = 0);

    /// Says how many checkpoints could not be saved at last, where more than one.
    ~TrialCheckpoints() override;
    TrialCheckpoints(const TrialCheckpoints&) = delete;
    TrialCheckpoints& operator=(const TrialCheckpoints&) = delete;

    /// The newest that read_checkpoint accepts, the trial's own or a state that it shares. Those it does not
    /// are named on standard error, with the reason.
    std::optional<archive::Checkpoint> load() override;
    bool due(std::int64_t step) override;
    bool wanted(std::int64_t step) const override;
    void save(archive::Checkpoint checkpoint) override;
    void found_no_memory(std::int64_t step) override;

    /// Steps that were done when load() found them; 0 where the trial began anew.
    std::int64_t taken_up_at() const { return taken_up_at_; }
    /// The last step whose state is on disk; 0 before the first.
    std::int64_t saved_at() const { return saved_at_; }

  private:
    using Clock = std::chrono::steady_clock;

    void remove_older_than_two(const CheckpointFile& newest);
    void could_not_save(const std::string& why);
    void could_save(std::int64_t step);

    std::filesystem::path folder_;
    const study::PlannedTrial& trial_;
    std::string instruction_set_;
    archive::Writer writer_;
    Clock::duration interval_;
    Clock::time_point saved_ = Clock::now();
    std::vector<std::int64_t> shared_;
    std::int64_t expected_;
    std::int64_t taken_up_at_ = 0, saved_at_ = 0;
    int unsaved_ = 0;                          ///< checkpoints in a row that could not be saved
    std::vector<CheckpointFile> generations_;  ///< the trial's own that it can go on from, the newest first
    std::vector<CheckpointFile> refused_;      ///< its own that it cannot
};

}  // namespace isogrid::cluster
