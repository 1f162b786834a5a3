// What is left of a trial whose program crashes, by a signal handler.
#pragma once

#include <filesystem>

#include "study/trial.hpp"

namespace isogrid::cluster {

/// While one lives, a signal that says the program is wrong (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT) adds
/// `crashed HOST RANKS SIGNAL` to the trial's notes before it ends the process. SIGKILL can leave none: see
/// Underway. Several threads may each have one, for a trial of its own: the note is that of the thread which
/// crashed, or, where that has none, of the only trial there is.
class CrashNote {
  public:
    CrashNote(const std::filesystem::path& folder, const study::PlannedTrial& trial, int ranks);
    ~CrashNote();
    CrashNote(const CrashNote&) = delete;
    CrashNote& operator=(const CrashNote&) = delete;

  private:
    int place_ = -1;  ///< in the table of what the handler knows; none where that is full
};

/// A file that the handler renames, so that later starts can tell a crash from a silent kill: the trial of
/// that file did not disappear, nor did those that the launcher kills then.
class RenamedOnCrash {
  public:
    RenamedOnCrash(const std::filesystem::path& file, const std::filesystem::path& then);
    ~RenamedOnCrash();
    RenamedOnCrash(const RenamedOnCrash&) = delete;
    RenamedOnCrash& operator=(const RenamedOnCrash&) = delete;

  private:
    int place_ = -1;
};

}  // namespace isogrid::cluster
