#include "cluster/folder/crash_note.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <pthread.h>
#include <string>
#include <unistd.h>

#include "archive/process_identity.hpp"
#include "archive/trial_file.hpp"

namespace isogrid::cluster {

namespace {

constexpr std::array signals = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr int most = 64;  // trials at once in one process

// A signal handler can reach nothing else: tables of fixed size, whose entries are true while they are valid.
struct Note {
    std::atomic<bool> valid{false};
    pthread_t thread{};
    std::array<char, 4096> file{};
    std::array<char, 320> line{};  // but for the signal's name
};
struct File {
    std::atomic<bool> valid{false};
    std::array<char, 4096> name{}, then{};
};
std::array<Note, most> notes;
std::array<File, most> files;

std::mutex changing;  // of the tables, and of the handlers
int noting = 0;       // entries of `notes`
std::array<struct sigaction, signals.size()> before{};

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

const Note* note_of_this_thread() {
    const Note* only = nullptr;
    int valid = 0;
    for (const Note& note : notes) {
        if (!note.valid) continue;
        if (pthread_equal(note.thread, pthread_self()) != 0) return &note;
        only = &note;
        ++valid;
    }
    return valid == 1 ? only : nullptr;
}

extern "C" void note_crash(int signal) {
    if (const Note* note = note_of_this_thread()) {
        const int file = open(note->file.data(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (file >= 0) {
            const char* name = signal_text(signal);
            ssize_t written = write(file, note->line.data(), std::strlen(note->line.data()));
            written += write(file, name, std::strlen(name));
            static_cast<void>(written);  // a crash is no time to complain
            close(file);
            for (const File& other : files)
                if (other.valid) rename(other.name.data(), other.then.data());
        }
    }
    raise(signal);  // SA_RESETHAND: it now ends the process as it would have
}

/// The first entry that is free, or -1.
template <class Entry>
int free_place(const std::array<Entry, most>& entries) {
    const auto found =
        std::find_if(entries.begin(), entries.end(), [](const Entry& entry) { return !entry.valid; });
    return found == entries.end() ? -1 : static_cast<int>(found - entries.begin());
}

void install() {
    for (std::size_t i = 0; i < signals.size(); ++i) {
        struct sigaction action {};
        action.sa_handler = note_crash;
        action.sa_flags = SA_RESETHAND;
        sigaction(signals[i], &action, &before[i]);
    }
}

void restore() {
    for (std::size_t i = 0; i < signals.size(); ++i)
        sigaction(signals[i], &before[i], nullptr);
}

}  // namespace

CrashNote::CrashNote(const std::filesystem::path& folder, const study::PlannedTrial& trial, int ranks) {
    const std::string file = (folder / archive::trial_file_stem(trial)).string();
    const std::string line = "crashed " + archive::host_name() + " " + std::to_string(ranks) + " ";
    const std::lock_guard lock(changing);
    const int place = free_place(notes);
    if (place < 0) return;
    Note& note = notes[static_cast<std::size_t>(place)];
    if (file.size() >= note.file.size() || line.size() >= note.line.size()) return;
    std::copy_n(file.c_str(), file.size() + 1, note.file.begin());
    std::copy_n(line.c_str(), line.size() + 1, note.line.begin());
    note.thread = pthread_self();
    note.valid = true;
    place_ = place;
    if (noting++ == 0) install();
}

CrashNote::~CrashNote() {
    if (place_ < 0) return;
    const std::lock_guard lock(changing);
    if (--noting == 0) restore();
    notes[static_cast<std::size_t>(place_)].valid = false;
}

RenamedOnCrash::RenamedOnCrash(const std::filesystem::path& file, const std::filesystem::path& then) {
    const std::string name = file.string(), new_name = then.string();
    const std::lock_guard lock(changing);
    const int place = free_place(files);
    if (place < 0) return;
    File& entry = files[static_cast<std::size_t>(place)];
    if (std::max(name.size(), new_name.size()) >= entry.name.size()) return;
    std::copy_n(name.c_str(), name.size() + 1, entry.name.begin());
    std::copy_n(new_name.c_str(), new_name.size() + 1, entry.then.begin());
    entry.valid = true;
    place_ = place;
}

RenamedOnCrash::~RenamedOnCrash() {
    if (place_ < 0) return;
    const std::lock_guard lock(changing);
    files[static_cast<std::size_t>(place_)].valid = false;
}

}  // namespace isogrid::cluster
