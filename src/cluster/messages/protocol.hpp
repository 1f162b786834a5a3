// The notes that coordinator and workers exchange, and their form on the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "archive/record.hpp"

namespace isogrid::cluster {

/// Seconds between the notes with which a worker shows that it is there.
inline constexpr double heartbeat_interval = 10;

/// Worker to coordinator: give me work. Said again now and then while there is none, so that the coordinator
/// knows who is there; `attempt` tells such a reminder, or a note that came late, from news.
struct Ready {
    int attempt = 0;  ///< the last one that this worker was given, which it has left; 0 before the first
    bool operator==(const Ready&) const = default;
};

/// Worker to coordinator, before all else: where it runs.
struct Here {
    std::string host;
    bool operator==(const Here&) const = default;
};

/// Worker to coordinator: still busy, from members of a group that do not speak for it.
struct Alive {
    bool operator==(const Alive&) const = default;
};

/// Worker to coordinator, before it asks for work: a step of this trial takes so long on one rank.
struct Measured {
    int trial = 0;
    double seconds_per_step = 0;
    bool operator==(const Measured&) const = default;
};

/// Coordinator to every member of a group: train this trial together.
struct Assign {
    int attempt = 0;         ///< counts the assignments of a sweep, from 1: no two have the same
    int trial = 0;           ///< index into the grid
    std::vector<int> ranks;  ///< members (workers), rising; the first writes the trial file and reports
    std::string lease;       ///< of the run's lock; checked again before the trial file gets its name
    bool alone = true;       ///< no other trial is on their cards meanwhile
    std::int64_t steps_before = 0;  ///< that its checkpoint, or a trunk's state, is known to have done
    bool operator==(const Assign&) const = default;
};

/// Worker to coordinator, about twice a second from a group's first rank.
struct TrialProgress {
    int attempt = 0;
    int trial = 0;
    std::int64_t steps_done = 0, steps = 0;
    double tokens_per_second = 0;
    bool operator==(const TrialProgress&) const = default;
};

/// Worker to coordinator, from a group's first rank: the trial ended.
struct Finished {
    int attempt = 0;
    int trial = 0;
    archive::Outcome outcome = archive::Outcome::failed;
    std::string cause = {};        ///< empty when completed
    bool stored = false;           ///< its trial file is on disk; of an interrupted one, its checkpoint
    std::string store_fault = {};  ///< why it is not, when it should be
    std::int64_t steps_done = 0, steps = 0;
    double seconds = 0;        ///< of training
    double training_loss = 0;  ///< final, nats a token
    double validation_loss = 0;
    bool operator==(const Finished&) const = default;
};

/// Coordinator to worker: leave this attempt, in the middle of an exchange too, and ask for work. Its trial
/// is done or will be done by others.
struct Abandon {
    int attempt = 0;
    bool operator==(const Abandon&) const = default;
};

/// Coordinator to the first rank of a group: end at the next step boundary, with a checkpoint, and ask for
/// work. The trial goes on from there, with other ranks.
struct Pause {
    int attempt = 0;
    bool operator==(const Pause&) const = default;
};

/// Coordinator to worker: end at the next step boundary and leave.
struct Stop {
    bool operator==(const Stop&) const = default;
};

using Message =
    std::variant<Ready, Measured, Assign, TrialProgress, Finished, Stop, Alive, Abandon, Here, Pause>;

/// The wire form: one byte of kind, then the fields in order; numbers in the machine's own byte order (every
/// rank of an MPI job has the same), texts and lists after their length.
std::vector<std::byte> encode(const Message& message);

/// Inverse of encode; throws std::runtime_error on bytes that encode did not make.
Message decode(std::span<const std::byte> bytes);

}  // namespace isogrid::cluster
