#include "cluster/sweep/status.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "archive/archive.hpp"
#include "archive/run_folder.hpp"
#include "base/json_text.hpp"
#include "base/wording.hpp"
#include "cluster/site/clocks.hpp"
#include "cluster/sweep/sweep_json.hpp"
#include "program/quantities.hpp"

namespace isogrid::cluster {

using program::duration, program::plural, program::count;

namespace {

using Json = nlohmann::ordered_json;

std::string trials_in_words(int trials) {
    return program::plural(static_cast<std::size_t>(trials), "trial");
}

SweepState summary_of(const archive::Listing& archive) {
    using archive::Outcome;
    SweepState state;
    state.study = archive.study_name;
    state.trials = state.done = static_cast<int>(archive.trials.size());
    for (const auto& [name, outcome, cause] : archive.trials) {
        if (outcome == Outcome::diverged) ++state.diverged;
        if (archive::is_failure(outcome))
            state.failed.push_back({name, std::string(archive::name(outcome)), cause});
    }
    return state;
}

std::string remaining(const SweepState& state) {
    if (!state.remaining_rank_seconds) return "the time left is not known yet\n";
    std::string text = "about " + base::rounded(*state.remaining_rank_seconds / 3600) + " rank-hours left";
    if (state.remaining_seconds)
        text += ": " + duration(*state.remaining_seconds) + " on " +
                plural(static_cast<std::size_t>(state.workers), "worker");
    return text + "\n";
}

std::string failures(const SweepState& state) {
    std::string text;
    for (const FailedTrial& trial : state.failed)
        text += "  failed   " + trial.name + ": " + trial.outcome + " (" + trial.cause + ")\n";
    return text;
}

std::string unfinished_text(const Status& status) {
    const bool running = status.stage == Stage::running;
    std::string text = status.archive.string() + ": " + std::string(name(status.stage));
    if (status.holder) {
        text += running ? " on " : "; it ran on ";
        text += describe(*status.holder) + " (last sign " +
                duration(std::max(0.0, status.now - status.holder->heartbeat)) + " ago)";
    }
    text += "\n";
    if (!status.digest.empty())
        text += "the archive is as it was before that run: " + trials_in_words(status.finished.trials) +
                " of " + status.finished.study + ", digest " + status.digest + "\n";
    if (!status.progress) return text + "nothing is known of its trials yet\n";

    const SweepState& state = status.progress->state;
    text +=
        std::to_string(state.done) + " of " + trials_in_words(state.trials) + " of " + state.study + " done";
    if (state.diverged > 0) text += " (" + std::to_string(state.diverged) + " diverged)";
    if (!state.failed.empty()) text += ", " + std::to_string(state.failed.size()) + " of them failed";
    if (running) text += ", " + std::to_string(state.running.size()) + " running";
    text += "\n";
    if (running)
        for (const RunningTrial& trial : state.running)
            text += "  running  " + trial.name + ": step " + std::to_string(trial.steps_done) + " of " +
                    std::to_string(trial.steps) + ", " + count(trial.tokens_per_second) + " tokens/s on " +
                    plural(static_cast<std::size_t>(trial.ranks), "rank") + "\n";
    for (const std::string& host : state.set_aside)
        text += "  host " + host + " is set aside: trial after trial ended badly there\n";
    text += failures(state) + remaining(state);
    if (!status.archived && state.done > static_cast<int>(state.failed.size()))
        text += "isogrid-fit " + status.archive.string() + " fits laws to what is finished\n";
    if (!running) text += "run the same command again to go on\n";
    return text;
}

}  // namespace

std::string_view name(Stage stage) {
    switch (stage) {
        case Stage::absent:
            return "absent";
        case Stage::running:
            return "running";
        case Stage::stopped:
            return "stopped";
        case Stage::finished:
            return "finished";
    }
    return "unknown";
}

base::Result<Status> read_status(const std::filesystem::path& archive) {
    const archive::RunFolder folder(archive);
    Status status;
    status.archive = archive;
    status.now = unix_seconds();
    status.holder = read_lock(folder.lock);
    const bool alive = status.holder && !is_stale(*status.holder, status.now);
    const bool archived = status.archived = std::filesystem::exists(archive);
    // A run that adds to an archive leaves it as it was until the end, and its attempts go last of all. Other
    // things may stay beside a finished one: states that the job keeps, and damaged files.
    const bool stopped = std::filesystem::exists(archived ? folder.attempts : folder.root);
    if (alive || stopped) {
        status.stage = alive ? Stage::running : Stage::stopped;
        status.progress = read_progress_file(folder.progress);
    }
    if (alive || !archived) return status;
    const auto listing = archive::list_archive(archive);
    if (!listing) return tl::unexpected(listing.error());
    if (!stopped) status.stage = Stage::finished;
    status.finished = summary_of(*listing);
    status.digest = listing->digest;
    return status;
}

std::string status_text(const Status& status) {
    const std::string where = status.archive.string() + ": ";
    if (status.stage == Stage::absent)
        return where + "there is no archive and no run (neither it nor " +
               archive::RunFolder(status.archive).root.string() + " exists) start one with isogrid run\n";
    if (status.stage != Stage::finished) return unfinished_text(status);
    const SweepState& state = status.finished;
    std::string text = where + "finished, " + trials_in_words(state.trials) + " of " + state.study;
    if (state.diverged > 0) text += ", " + std::to_string(state.diverged) + " diverged";
    if (!state.failed.empty()) text += ", " + std::to_string(state.failed.size()) + " failed";
    return text + "\n" + failures(state) + "digest " + status.digest + "\n";
}

std::string status_json(const Status& status) {
    const bool unfinished = status.stage == Stage::running || status.stage == Stage::stopped;
    Json json = {{"schema", "isogrid-status/1"},
                 {"archive", status.archive.string()},
                 {"stage", name(status.stage)},
                 {"holder", nullptr},
                 {"sweep", nullptr},
                 {"remaining_rank_hours", nullptr},
                 {"digest", status.digest.empty() ? Json(nullptr) : Json(status.digest)}};
    if (status.holder)
        json["holder"] = {{"host", status.holder->host},
                          {"process", status.holder->process},
                          {"slurm_job", status.holder->job},
                          {"seconds_since_heartbeat", status.now - status.holder->heartbeat},
                          {"alive", status.stage == Stage::running}};
    if (status.stage == Stage::finished) {
        json["sweep"] = to_json(status.finished);
        json["remaining_rank_hours"] = 0;
    }
    if (unfinished && status.progress) {
        json["sweep"] = to_json(status.progress->state);
        if (const auto seconds = status.progress->state.remaining_rank_seconds)
            json["remaining_rank_hours"] = *seconds / 3600;
    }
    return base::json_text(json, 4);
}

}  // namespace isogrid::cluster
