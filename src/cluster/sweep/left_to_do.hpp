// What a run has to do of a grid: which trials, from which step, and which are not tried again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <vector>

#include "archive/found.hpp"
#include "cluster/folder/attempts.hpp"
#include "cluster/sweep/sweep.hpp"
#include "study/study.hpp"

namespace isogrid::cluster {

struct LeftToDo {
    std::vector<int> trials;                  ///< places in the grid, rising
    History history;                          ///< of these
    std::vector<int> retried;                 ///< those whose attempts are to be forgotten
    std::size_t from_states = 0;              ///< those that go on from a state which others left behind
    std::vector<archive::TrialRecord> aside;  ///< trials set aside that no file says so of yet
    std::vector<FailedTrial> failed;          ///< all that are not tried again, and why
};

/// A trial without a result is to be done, unless its attempts set it aside (cluster/folder/attempts) or the
/// archive has it as failed or out of memory already: then only where `retry` names that outcome, as if its
/// attempts were forgotten. Looks into the run folder of `archive`, and changes nothing there. `workers`:
/// ranks that train.
LeftToDo left_to_do(const archive::Found& found, const study::Study& study,
                    const std::filesystem::path& archive, int workers,
                    const std::set<archive::Outcome>& retry);

}  // namespace isogrid::cluster
