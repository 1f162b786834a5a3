#include "cluster/folder/trunk_states.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <system_error>
#include <utility>
#include <vector>

#include "cluster/folder/checkpoints.hpp"
#include "files/folder.hpp"
#include "study/branches.hpp"

namespace isogrid::cluster {

namespace {

using Path = std::filesystem::path;

/// A state may be gone already, or stay where it cannot be removed.
void remove_file(const Path& file) {
    std::error_code absent;
    std::filesystem::remove(file, absent);
}

}  // namespace

std::vector<std::int64_t> places_left_from(const study::Study& study, std::size_t place) {
    std::set<std::int64_t> steps;
    for (const study::Branch& branch : study::branches_of(place, study.grid.trials))
        steps.insert(branch.step);
    if (study.job.keep_trunks && !steps.empty()) steps.insert(study.grid.trials[place].trial.steps);
    return {steps.begin(), steps.end()};
}

TrunkStates::TrunkStates(Path folder, const study::Study& study, const std::vector<int>& to_do) {
    if (study.job.keep_trunks) return;
    const std::vector<study::PlannedTrial>& trials = study.grid.trials;
    const std::set<int> unfinished(to_do.begin(), to_do.end());
    std::map<Path, std::set<int>> states;
    std::vector<std::size_t> places(trials.size());
    std::iota(places.begin(), places.end(), std::size_t{0});
    const auto branches = study::branches_of_each(places, trials);
    for (const std::size_t trunk : places)
        for (const study::Branch& branch : branches[trunk]) {
            const auto state = shared_state(folder, trials[trunk].trial, branch.step);
            if (!state) continue;
            std::set<int>& awaited = states[state->file.path];
            for (const int trial : {static_cast<int>(trunk), static_cast<int>(branch.trial - trials.data())})
                if (unfinished.contains(trial)) awaited.insert(trial);
        }
    for (auto& [file, awaited] : states) {
        if (awaited.empty())
            remove_file(file);
        else
            states_.push_back({file, std::move(awaited)});
    }
}

void TrunkStates::ended(int trial) {
    for (State& state : states_)
        if (state.awaited.erase(trial) > 0 && state.awaited.empty()) remove_file(state.file);
}

bool holds_only_states(const Path& run_folder, const Path& checkpoints) {
    std::error_code absent;
    for (const auto& entry : std::filesystem::directory_iterator(run_folder, absent))
        if (entry.path() != checkpoints) return false;
    const std::filesystem::directory_iterator files(checkpoints, absent);
    return std::all_of(begin(files), end(files),
                       [](const auto& entry) { return is_shared_state(entry.path()); });
}

void clean_checkpoints(const Path& checkpoints, bool keep_states) {
    std::error_code absent_or_not_empty;
    std::vector<Path> files;
    for (const auto& entry : std::filesystem::directory_iterator(checkpoints, absent_or_not_empty))
        if (!keep_states || !is_shared_state(entry.path())) files.push_back(entry.path());
    for (const Path& file : files)
        std::filesystem::remove_all(file, absent_or_not_empty);
    files::remove_empty_folder(checkpoints);
}

}  // namespace isogrid::cluster
