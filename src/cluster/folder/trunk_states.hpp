// The states in a run folder that branches leave their trunks from: where they are saved, and how long kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <vector>

#include "study/study.hpp"

namespace isogrid::cluster {

/// Steps after which the trial at this place of the grid saves its state for others, rising: where they leave
/// it, and, if the job keeps trunks, at its end, which a longer one may go on from.
std::vector<std::int64_t> places_left_from(const study::Study& study, std::size_t place);

/// Removes each state of a sweep when all trials that leave their trunk there have their results, unless the
/// job keeps trunks.
class TrunkStates {
  public:
    /// `folder` of checkpoints, `to_do`: places of trials without a result. `study` must outlive this.
    TrunkStates(std::filesystem::path folder, const study::Study& study, const std::vector<int>& to_do);

    /// To be called when this trial has its result.
    void ended(int trial);

  private:
    struct State {
        std::filesystem::path file;
        std::set<int> awaited;  ///< trials to do that may still go on from there, its trunk among them
    };
    std::vector<State> states_;
};

/// Whether the run folder holds nothing but such states: those that a finished sweep has kept.
bool holds_only_states(const std::filesystem::path& run_folder, const std::filesystem::path& checkpoints);

/// Removes the checkpoints of a finished sweep; with `keep_states` all but the states that trials share.
void clean_checkpoints(const std::filesystem::path& checkpoints, bool keep_states);

}  // namespace isogrid::cluster
