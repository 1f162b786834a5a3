// How far a sweep is, in numbers that a person asks for: what the progress line, progress.json and `isogrid
// status` show.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace isogrid::cluster {

struct RunningTrial {
    std::string name;
    int ranks = 1;
    std::int64_t steps_done = 0, steps = 0;
    double tokens_per_second = 0;
    bool operator==(const RunningTrial&) const = default;
};

struct FailedTrial {
    std::string name;
    std::string outcome;  ///< out_of_memory or failed
    std::string cause;
    bool operator==(const FailedTrial&) const = default;
};

/// Numbers a person asks for. What cannot be known yet is empty.
struct SweepState {
    std::string study;
    int trials = 0;    ///< of the whole grid
    int done = 0;      ///< with a trial file, from earlier runs too
    int diverged = 0;  ///< of those done in this run
    int workers = 1;
    std::vector<RunningTrial> running;        ///< in grid order
    std::vector<FailedTrial> failed;          ///< in the order of their ends
    std::vector<std::string> set_aside = {};  ///< hosts that get no more work
    double tokens_per_second = 0;             ///< of all running trials together
    std::optional<double> remaining_rank_seconds;
    std::optional<double> remaining_seconds;
    bool operator==(const SweepState&) const = default;
};

}  // namespace isogrid::cluster
