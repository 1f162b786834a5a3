// What a sweep says of itself while it runs: a line for each trial, on a terminal above a live one, in a log
// with one a minute; and progress.json for everybody else.
#pragma once

#include <filesystem>
#include <string>

#include "cluster/messages/protocol.hpp"
#include "cluster/sweep/sweep.hpp"
#include "program/console.hpp"

namespace isogrid::cluster {

/// `quickstart: 12/28 done, 1 failed, 2 running (b3-w64-d4 43%, b2-w32-d2 11%), 1.2 M tokens/s, 3 min 20 s
/// left`, in at most `columns` characters: the least important parts go first.
std::string progress_line(const SweepState& state, int columns);

/// `12/28 b2-w32-d2 completed in 4.2 s: validation loss 1.9231`, or how and why it failed.
std::string finished_line(const SweepState& state, const std::string& name, const Finished& finished);

class Progress {
  public:
    Progress(program::Console& console, std::filesystem::path progress_file);

    /// Looks whether something is due; cheap enough for every turn of a loop. `now` in seconds, never going
    /// back.
    void update(const Sweep& sweep, double now);

    /// Says how it ended (on a terminal, where several end in half a second, of the first, and counts the
    /// others in the next such line unless they went badly), and writes progress.json unless that was a
    /// moment ago: what is left takes 40 ms to say of 100,000 trials.
    void trial_finished(const Sweep& sweep, const Finished& finished, double now);

    /// Writes progress.json a last time and takes the live line away.
    void end(const Sweep& sweep, double now);

  private:
    void write_file(const SweepState& state, double now);

    program::Console& console_;
    std::filesystem::path progress_file_;
    double live_due_, log_due_, file_due_, written_, told_;
    int untold_ = 0;  ///< trials that ended well since
};

}  // namespace isogrid::cluster
