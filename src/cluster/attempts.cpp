#include "cluster/attempts.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <system_error>
#include <unistd.h>

#include "archive/trial_file.hpp"

namespace isogrid::cluster {

namespace {

using Path = std::filesystem::path;

Path notes_of(const Path& folder, const study::PlannedTrial& trial) {
    return folder / archive::trial_file_stem(trial);
}

std::string host_name() {
    std::array<char, 256> name{};
    gethostname(name.data(), name.size() - 1);
    return name.data();
}

std::string one_line(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, ' ');
    return text;
}

// A signal handler can reach nothing else: the file, and the line but for the signal's name.
std::array<char, 4096> crash_file{};
std::array<char, 320> crash_line{};

const char* signal_text(int signal) {
    switch (signal) {
        case SIGSEGV:
            return "SIGSEGV\n";
        case SIGBUS:
            return "SIGBUS\n";
        case SIGILL:
            return "SIGILL\n";
        case SIGFPE:
            return "SIGFPE\n";
        default:
            return "SIGABRT\n";
    }
}

extern "C" void note_crash(int signal) {
    const int file = open(crash_file.data(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file >= 0) {
        const char* name = signal_text(signal);
        ssize_t written = write(file, crash_line.data(), std::strlen(crash_line.data()));
        written += write(file, name, std::strlen(name));
        static_cast<void>(written);  // a crash is no time to complain
        close(file);
    }
    raise(signal);  // SA_RESETHAND: it now ends the process as it would have
}

}  // namespace

Attempts read_attempts(const Path& folder, const study::PlannedTrial& trial) {
    Attempts attempts;
    std::ifstream notes(notes_of(folder, trial));
    for (std::string line; std::getline(notes, line);) {
        std::istringstream words(line);
        std::string what, host;
        int ranks = 1;
        if (!(words >> what >> host >> ranks)) continue;  // torn, as when a node lost its power
        if (what == "crashed") ++attempts.crashed;
        if (what == "failed") ++attempts.failed;
        if (what == "out_of_memory")
            attempts.ranks_out_of_memory = std::max(attempts.ranks_out_of_memory, ranks);
        std::string cause;
        std::getline(words >> std::ws, cause);
        attempts.last = what + " on " + host + ": " + cause;
    }
    return attempts;
}

void note_attempt(const Path& folder, const study::PlannedTrial& trial, archive::Outcome outcome, int ranks,
                  const std::string& cause) {
    std::ofstream(notes_of(folder, trial), std::ios::app)
        << archive::name(outcome)
        << " " + host_name() + " " + std::to_string(ranks) + " " + one_line(cause) + "\n";
}

void forget_attempts(const Path& folder, const study::PlannedTrial& trial) {
    std::error_code none_there;
    std::filesystem::remove(notes_of(folder, trial), none_there);
}

int least_ranks(const Attempts& attempts) {
    return std::max(1, 2 * attempts.ranks_out_of_memory);
}

int most_ranks(const study::Trial& trial, int workers) {
    const auto there = static_cast<unsigned>(std::max(1, workers));
    return static_cast<int>(std::min<std::int64_t>(trial.leaves, std::bit_floor(there)));
}

std::optional<archive::TrialResult> set_aside(const Attempts& attempts, int most_ranks) {
    archive::TrialResult result;
    const std::string last = " (the last: " + attempts.last + ")";
    if (attempts.crashed >= most_crashes) {
        result.outcome = archive::Outcome::failed;
        result.cause = "its program crashed " + std::to_string(attempts.crashed) + " times" + last;
        return result;
    }
    if (attempts.failed >= most_failures) {
        result.outcome = archive::Outcome::failed;
        result.cause = "it failed " + std::to_string(attempts.failed) + " times" + last;
        return result;
    }
    if (least_ranks(attempts) > most_ranks) {
        result.outcome = archive::Outcome::out_of_memory;
        result.cause = "the memory of " + std::to_string(attempts.ranks_out_of_memory) +
                       " ranks was not enough, and it can have no more than " + std::to_string(most_ranks) +
                       last;
        return result;
    }
    return std::nullopt;
}

CrashNote::CrashNote(const Path& folder, const study::PlannedTrial& trial, int ranks) {
    const std::string file = notes_of(folder, trial).string();
    const std::string line = "crashed " + host_name() + " " + std::to_string(ranks) + " ";
    if (folder.empty() || file.size() >= crash_file.size() || line.size() >= crash_line.size()) return;
    std::copy_n(file.c_str(), file.size() + 1, crash_file.begin());
    std::copy_n(line.c_str(), line.size() + 1, crash_line.begin());
    for (std::size_t i = 0; i < signals.size(); ++i) {
        struct sigaction action {};
        action.sa_handler = note_crash;
        action.sa_flags = SA_RESETHAND;
        sigaction(signals[i], &action, &before_[i]);
    }
    noting_ = true;
}

CrashNote::~CrashNote() {
    if (!noting_) return;
    for (std::size_t i = 0; i < signals.size(); ++i)
        sigaction(signals[i], &before_[i], nullptr);
}

}  // namespace isogrid::cluster
