#include "cluster/folder/attempts.hpp"

#include <algorithm>
#include <bit>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

#include "archive/process_identity.hpp"
#include "archive/trial_file.hpp"
#include "files/replace.hpp"

namespace isogrid::cluster {

namespace {

using Path = std::filesystem::path;

Path notes_of(const Path& folder, const study::PlannedTrial& trial) {
    return folder / archive::trial_file_stem(trial);
}

std::string one_line(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, ' ');
    return text;
}

void note(const Path& folder, const study::PlannedTrial& trial, std::string_view what, int ranks,
          const std::string& cause) {
    std::ofstream(notes_of(folder, trial), std::ios::app)
        << what << " " + archive::host_name() + " " + std::to_string(ranks) + " " + one_line(cause) + "\n";
}

/// How people are told of it: some words of notes say more than they ask for.
std::string as_told(const std::string& what) {
    if (what == "card") return "card lost";
    return what == "threads" ? "out_of_memory" : what;
}

/// What a note calls an attempt that ended so.
std::string_view word_for(archive::Outcome outcome, bool alone, int threads) {
    if (outcome != archive::Outcome::out_of_memory) return archive::name(outcome);
    if (!alone) return "crowded";
    return threads > 1 ? "threads" : archive::name(outcome);
}

/// Counts what a note's word says, but for those that depend on the notes before.
void count(Attempts& attempts, std::string_view what, const std::string& host, int ranks) {
    if (what == "crashed") ++attempts.crashed;
    if (what == "failed") ++attempts.failed;
    if (what == "threads") attempts.threaded = true;
    if (what == "crowded" || what == "card") attempts.crowded = true;
    if (what == "card") {
        ++attempts.cards_lost;
        attempts.hosts_of_cards_lost.insert(host);
    }
    if (what == "out_of_memory") attempts.ranks_out_of_memory = std::max(attempts.ranks_out_of_memory, ranks);
}

Attempts read_notes(const Path& file) {
    Attempts attempts;
    std::ifstream notes(file);
    std::string disappeared_with;
    for (std::string line; std::getline(notes, line);) {
        std::istringstream words(line);
        std::string what, host, cause;
        int ranks = 1;
        if (!(words >> what >> host >> ranks)) continue;  // torn, as when a node lost its power
        std::getline(words >> std::ws, cause);
        if (what == "retried") {
            attempts = {.retried = true};
            continue;
        }
        if (what == "disappeared") {
            attempts.disappeared = cause == disappeared_with ? attempts.disappeared + 1 : 1;
            disappeared_with = cause;
        } else {
            attempts.disappeared = 0;  // only starts in a row count
        }
        count(attempts, what, host, ranks);
        attempts.last = as_told(what) + " on " + host + ": " + cause;
    }
    return attempts;
}

}  // namespace

Attempts read_attempts(const Path& folder, const study::PlannedTrial& trial) {
    return read_notes(notes_of(folder, trial));
}

std::map<std::string, Attempts> read_all_attempts(const Path& folder) {
    std::map<std::string, Attempts> all;
    std::error_code none_there;
    for (const auto& entry : std::filesystem::directory_iterator(folder, none_there))
        all.emplace(entry.path().filename().string(), read_notes(entry.path()));
    return all;
}

void count_attempt(Attempts& attempts, archive::Outcome outcome, int ranks, bool alone, int threads) {
    count(attempts, word_for(outcome, alone, threads), archive::host_name(), ranks);
}

int threads_for(const Attempts& attempts, std::int64_t asked) {
    return attempts.threaded || attempts.ranks_out_of_memory > 0 ? 1 : static_cast<int>(asked);
}

bool is_last_cause(const Attempts& attempts, const std::string& cause) {
    return attempts.last.ends_with(": " + one_line(cause));
}

void note_attempt(const Path& folder, const study::PlannedTrial& trial, archive::Outcome outcome, int ranks,
                  const std::string& cause, bool alone, int threads) {
    note(folder, trial, word_for(outcome, alone, threads), ranks, cause);
}

void note_card_lost(const Path& folder, const study::PlannedTrial& trial, int ranks, const std::string& cause,
                    bool alone) {
    note(folder, trial, alone ? "card" : "crowded", ranks, cause);
}

namespace {

void remove_notes(const Path& folder, const study::PlannedTrial& trial, const std::string& beginning) {
    const Path file = notes_of(folder, trial);
    const Path temporary = folder / ("." + file.filename().string() + ".new");  // no trial's, were it left
    std::ifstream notes(file);
    std::string kept;
    for (std::string line; std::getline(notes, line);)
        if (!line.starts_with(beginning)) kept += line + "\n";
    files::replace(file, temporary, kept);
}

}  // namespace

void pardon_host(const Path& folder, const study::PlannedTrial& trial, const std::string& host) {
    remove_notes(folder, trial, "failed " + host + " ");
}

void pardon_failures(const Path& folder, const study::PlannedTrial& trial) {
    remove_notes(folder, trial, "failed ");
}

void note_retried(const Path& folder, const study::PlannedTrial& trial) {
    std::error_code none_there;
    std::filesystem::remove(notes_of(folder, trial), none_there);
    note(folder, trial, "retried", 0, "as was asked for");
}

int least_ranks(const Attempts& attempts) {
    return std::max(1, 2 * attempts.ranks_out_of_memory);
}

int most_ranks(const study::Trial& trial, int workers) {
    const auto there = static_cast<unsigned>(std::max(1, workers));
    return static_cast<int>(std::min<std::int64_t>(trial.leaves, std::bit_floor(there)));
}

std::optional<archive::TrialResult> set_aside(const Attempts& attempts, int most_ranks) {
    using archive::Outcome;
    const auto ended = [&](Outcome outcome, const std::string& cause) {
        archive::TrialResult result;
        result.outcome = outcome;
        result.cause = cause + " (the last: " + attempts.last + ")";
        return result;
    };
    if (attempts.crashed >= most_crashes)
        return ended(Outcome::failed, "its program crashed " + std::to_string(attempts.crashed) + " times");
    const std::size_t hosts = attempts.hosts_of_cards_lost.size();
    if (hosts >= most_hosts_of_cards_lost || attempts.cards_lost >= most_cards_lost)
        return ended(Outcome::failed, "it lost its card " + std::to_string(attempts.cards_lost) +
                                          " times, on " + std::to_string(hosts) +
                                          (hosts == 1 ? " host" : " hosts"));
    if (attempts.disappeared >= most_disappearances)
        return ended(Outcome::failed, "its process was killed " + std::to_string(attempts.disappeared) +
                                          " times in a row, as for too much memory");
    if (attempts.failed >= most_failures)
        return ended(Outcome::failed, "it failed " + std::to_string(attempts.failed) + " times");
    if (least_ranks(attempts) > most_ranks)
        return ended(Outcome::out_of_memory, "the memory of " + std::to_string(attempts.ranks_out_of_memory) +
                                                 " ranks was not enough, and it can have no more than " +
                                                 std::to_string(most_ranks));
    return std::nullopt;
}

namespace {

constexpr std::string_view underway_mark = ".underway-", ended_mark = ".ended";

Path ended(const Path& underway) {
    return underway.string() + std::string(ended_mark);
}

constexpr std::string_view outside_slurm = "boot:";

/// Outside Slurm a machine that was started anew ended its processes, whatever their trials were.
std::string allocation_here() {
    const std::string start = archive::slurm_start_here();
    if (!start.empty()) return start;
    std::string boot;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
    return std::string(outside_slurm) + boot;
}

/// Of another machine outside Slurm it is not known whether it was started anew.
bool may_be_this_allocation(const std::string& host, const std::string& allocation) {
    const std::string here = allocation_here();
    const bool both_outside = allocation.starts_with(outside_slurm) && here.starts_with(outside_slurm);
    return allocation == here || (both_outside && host != archive::host_name());
}

}  // namespace

Underway::Underway(const Path& folder, const study::PlannedTrial& trial, int member)
    : file_(notes_of(folder, trial).string() + std::string(underway_mark) + std::to_string(member)),
      on_crash_(file_, ended(file_)) {
    std::ofstream(file_) << archive::host_name() << " " << allocation_here() << "\n";
}

Underway::~Underway() {
    std::error_code ignored;
    if (ends_process_)
        std::filesystem::rename(file_, ended(file_), ignored);
    else
        std::filesystem::remove(file_, ignored);
}

namespace {

Path measuring_file(const Path& folder, const study::PlannedTrial& trial) {
    return notes_of(folder, trial).string() + ".measuring";
}

}  // namespace

BeingMeasured::BeingMeasured(const Path& folder, const study::PlannedTrial& trial)
    : file_(measuring_file(folder, trial)) {
    std::ofstream(file_) << archive::host_name() << "\n";  // a first start may be here before the folder is
}

BeingMeasured::~BeingMeasured() {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
}

bool may_be_measured(const Path& folder, const study::PlannedTrial& trial) {
    std::error_code unknown;
    return !std::filesystem::exists(measuring_file(folder, trial), unknown) &&
           read_attempts(folder, trial).last.empty();
}

void note_disappeared(const Path& folder, const std::map<std::string, std::set<std::int64_t>>& checkpoints) {
    struct Gone {
        std::string host, allocation;
        int members = 0;
    };
    std::map<std::string, Gone> gone;  // by the trial's notes
    bool ended_by_another = false;
    std::error_code ignored;
    std::vector<Path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
        if (entry.path().filename().string().find(underway_mark) != std::string::npos)
            found.push_back(entry.path());
    for (const Path& file : found) {
        const std::string name = file.filename().string();
        ended_by_another |= name.ends_with(ended_mark);
        Gone& trial = gone[name.substr(0, name.rfind(underway_mark))];
        std::ifstream(file) >> trial.host >> trial.allocation;
        ++trial.members;
        std::filesystem::remove(file, ignored);
    }
    if (gone.size() != 1 || ended_by_another) return;
    const auto& [name, trial] = *gone.begin();
    if (!may_be_this_allocation(trial.host, trial.allocation)) return;
    std::string saved;
    if (const auto its = checkpoints.find(name); its != checkpoints.end())
        for (const std::int64_t step : its->second)
            saved += (saved.empty() ? "" : ", ") + std::to_string(step);
    std::ofstream(folder / name, std::ios::app)
        << "disappeared " << trial.host << " " << trial.members << " with " << (saved.empty() ? "0" : saved)
        << " steps saved\n";
}

}  // namespace isogrid::cluster
