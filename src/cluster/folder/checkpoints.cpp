#include "cluster/folder/checkpoints.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <iostream>
#include <string_view>
#include <system_error>
#include <utility>

#include "archive/checkpoint_file.hpp"
#include "archive/trial_file.hpp"
#include "study/branches.hpp"

namespace isogrid::cluster {

namespace {

using Path = std::filesystem::path;

constexpr std::size_t generations = 2;

Path path_of(const Path& folder, const std::string& stem, std::int64_t step) {
    char digits[24];
    std::snprintf(digits, sizeof digits, "%012lld", static_cast<long long>(step));
    return folder / (stem + "." + digits + ".h5");
}

constexpr std::size_t identity_digits = 12;
constexpr std::string_view state_prefix = "trunk-";

/// No trial's name is "trunk" alone, so no trial's own checkpoint has such a stem.
bool is_state_stem(const std::string& stem) {
    return stem.size() == state_prefix.size() + identity_digits && stem.starts_with(state_prefix);
}

std::string state_stem(const study::Trial& beginning) {
    return std::string(state_prefix).append(study::identity(beginning), 0, identity_digits);
}

/// `STEM.STEP.h5` -> STEM and STEP; an empty stem for other names, those of temporary files among them.
std::pair<std::string, std::int64_t> parts_of(const Path& file) {
    const Path without_ending = file.stem();
    const std::string step = without_ending.extension().string();  // `.000000001234`
    if (file.extension() != ".h5" || step.size() < 2 || step.size() > 19 ||
        !std::all_of(step.begin() + 1, step.end(), [](unsigned char c) { return std::isdigit(c) != 0; }))
        return {};
    return {without_ending.stem().string(), std::stoll(step.substr(1))};
}

/// Calls visit(path, stem, step) for every checkpoint in the folder.
template <class Visit>
void for_each_checkpoint(const Path& folder, const Visit& visit) {
    std::error_code none_there;
    for (const auto& entry : std::filesystem::directory_iterator(folder, none_there))
        if (const auto [stem, step] = parts_of(entry.path()); !stem.empty()) visit(entry.path(), stem, step);
}

}  // namespace

std::vector<CheckpointFile> checkpoints_of(const Path& folder, const study::PlannedTrial& trial) {
    std::vector<CheckpointFile> files;
    for_each_checkpoint(folder, [&, wanted = archive::trial_file_stem(trial)](
                                    const Path& path, const std::string& stem, std::int64_t step) {
        if (stem == wanted) files.push_back({path, step});
    });
    std::sort(files.begin(), files.end(),
              [](const CheckpointFile& a, const CheckpointFile& b) { return a.step > b.step; });
    return files;
}

std::optional<SharedState> shared_state(const Path& folder, const study::Trial& trial, std::int64_t step) {
    auto beginning = study::beginning(trial, step);
    if (!beginning) return std::nullopt;
    Path path = path_of(folder, state_stem(*beginning), step);
    return SharedState{{std::move(path), step}, std::move(*beginning)};
}

std::vector<SharedState> shared_states(const Path& folder, const study::Trial& trial) {
    std::vector<SharedState> states;
    for_each_checkpoint(folder, [&](const Path& path, const std::string& stem, std::int64_t step) {
        if (!is_state_stem(stem)) return;
        if (auto state = shared_state(folder, trial, step); state && state->file.path == path)
            states.push_back(std::move(*state));
    });
    std::sort(states.begin(), states.end(),
              [](const SharedState& a, const SharedState& b) { return a.file.step > b.file.step; });
    return states;
}

bool is_shared_state(const Path& file) {
    return is_state_stem(parts_of(file).first);
}

CheckpointListing::CheckpointListing(const Path& folder) {
    for_each_checkpoint(folder, [&](const Path&, const std::string& stem, std::int64_t step) {
        if (is_state_stem(stem))
            states_.emplace(step, stem);
        else
            steps_[stem].insert(step);
    });
}

std::int64_t CheckpointListing::newest(const std::string& stem) const {
    const auto found = steps_.find(stem);
    return found == steps_.end() ? 0 : *found->second.rbegin();
}

std::int64_t CheckpointListing::latest_state(const study::Trial& trial) const {
    const auto& steps = trial.evaluation.steps;  // a state that others can have is at one of them
    for (auto step = steps.rbegin(); step != steps.rend() && !states_.empty(); ++step) {
        const auto first = states_.lower_bound({*step, ""});
        if (first == states_.end() || first->first != *step) continue;
        const auto beginning = study::beginning(trial, *step);
        if (beginning && states_.contains({*step, state_stem(*beginning)})) return *step;
    }
    return 0;
}

void remove_checkpoints(const Path& folder, const study::PlannedTrial& trial) {
    std::error_code stays;
    for (const CheckpointFile& file : checkpoints_of(folder, trial))
        std::filesystem::remove(file.path, stays);
}

TrialCheckpoints::TrialCheckpoints(Path folder, const study::PlannedTrial& trial, std::string instruction_set,
                                   archive::Writer writer, double minutes, std::vector<std::int64_t> shared,
                                   std::int64_t expected)
    : folder_(std::move(folder)),
      trial_(trial),
      instruction_set_(std::move(instruction_set)),
      writer_(std::move(writer)),
      interval_(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(60 * minutes))),
      shared_(std::move(shared)),
      expected_(expected) {}

std::optional<archive::Checkpoint> TrialCheckpoints::load() {
    // Each with the trial that it is stamped as a checkpoint of.
    std::vector<SharedState> candidates = shared_states(folder_, trial_.trial);
    for (CheckpointFile& file : checkpoints_of(folder_, trial_))
        candidates.push_back({std::move(file), trial_.trial});
    if (expected_ > 0) {
        const auto look_for = [&](SharedState state) {
            const bool listed = std::any_of(candidates.begin(), candidates.end(), [&](const auto& candidate) {
                return candidate.file.path == state.file.path;
            });
            std::error_code hidden;
            if (!listed && std::filesystem::exists(state.file.path, hidden))
                candidates.push_back(std::move(state));
        };
        look_for({{path_of(folder_, archive::trial_file_stem(trial_), expected_), expected_}, trial_.trial});
        if (auto state = shared_state(folder_, trial_.trial, expected_)) look_for(std::move(*state));
    }
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const SharedState& a, const SharedState& b) { return a.file.step > b.file.step; });
    generations_.clear();
    refused_.clear();
    std::optional<archive::Checkpoint> used;
    for (SharedState& candidate : candidates) {
        const bool its_own = !is_shared_state(candidate.file.path);
        if (used) {  // older than that: as good, as far as one knows
            if (its_own) generations_.push_back(std::move(candidate.file));
            continue;
        }
        auto checkpoint =
            archive::read_checkpoint(candidate.file.path, candidate.beginning, instruction_set_);
        if (checkpoint) {
            taken_up_at_ = checkpoint->step;
            used = std::move(*checkpoint);
        } else {
            std::cerr << "not used: " << base::to_string(checkpoint.error()) << std::flush;
        }
        if (its_own) (checkpoint ? generations_ : refused_).push_back(std::move(candidate.file));
    }
    return used;
}

bool TrialCheckpoints::wanted(std::int64_t step) const {
    return std::find(shared_.begin(), shared_.end(), step) != shared_.end();
}

bool TrialCheckpoints::due(std::int64_t step) {
    if (wanted(step)) return true;
    return interval_ > Clock::duration::zero() && Clock::now() - saved_ >= interval_;
}

void TrialCheckpoints::remove_older_than_two(const CheckpointFile& newest) {
    std::error_code stays;
    const auto is_newest = [&](const CheckpointFile& file) { return file.path == newest.path; };
    std::erase_if(generations_, is_newest);
    std::erase_if(refused_, is_newest);
    generations_.insert(generations_.begin(), newest);
    while (generations_.size() > generations) {
        std::filesystem::remove(generations_.back().path, stays);
        generations_.pop_back();
    }
    std::erase_if(refused_, [&](const CheckpointFile& file) {
        return file.step < newest.step && (std::filesystem::remove(file.path, stays), true);
    });
}

void TrialCheckpoints::save(archive::Checkpoint checkpoint) {
    saved_ = Clock::now();
    const std::int64_t step = checkpoint.step;
    try {
        if (const auto state = wanted(step) ? shared_state(folder_, trial_.trial, step) : std::nullopt) {
            if (archive::write_checkpoint(state->file.path, state->beginning, instruction_set_,
                                          std::move(checkpoint), writer_))
                could_save(step);
            return;
        }
        const Path path = path_of(folder_, archive::trial_file_stem(trial_), step);
        if (!archive::write_checkpoint(path, trial_.trial, instruction_set_, std::move(checkpoint), writer_))
            return;  // another run has taken over: what is there is its own
        could_save(step);
        remove_older_than_two({path, step});
    } catch (const std::exception& error) {
        could_not_save(error.what());
    }
}

/// A disk may stay full for hours: what follows the first is counted.
void TrialCheckpoints::could_not_save(const std::string& why) {
    if (++unsaved_ == 1) std::cerr << "no checkpoint: " + why + "\n" << std::flush;
}

void TrialCheckpoints::could_save(std::int64_t step) {
    saved_at_ = step;
    if (unsaved_ > 0)
        std::cerr << "checkpoints again: " + trial_.name + " after step " + std::to_string(step) +
                         ", where " + std::to_string(unsaved_) + " before it could not be saved\n"
                  << std::flush;
    unsaved_ = 0;
}

TrialCheckpoints::~TrialCheckpoints() {
    if (unsaved_ > 1)
        std::cerr << "no checkpoint: " + trial_.name + ", " + std::to_string(unsaved_) +
                         " in a row could not be saved\n"
                  << std::flush;
}

void TrialCheckpoints::found_no_memory(std::int64_t step) {
    saved_ = Clock::now();  // tried again when the next one is due, not at every step
    could_not_save(
        trial_.name + " after step " + std::to_string(step) +
        " (memory has no room for a copy of its state) it trains on, and begins again from the last "
        "one should it be ended; start fewer ranks a node");
}

}  // namespace isogrid::cluster
