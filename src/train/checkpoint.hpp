// Where checkpoints come from and go to, as the trainer sees it, and how a group of ranks shares one.
#pragma once

#include <cstdint>
#include <optional>

#include "archive/checkpoint.hpp"
#include "train/communicator.hpp"

namespace isogrid::train {

/// Keeps checkpoints of one trial. A group has one on each rank or none on any, and asks that of its first
/// rank alone: what other ranks see of a shared file system may be older.
class CheckpointKeeper {
  public:
    virtual ~CheckpointKeeper() = default;

    /// The state to go on from; nothing to begin anew. A checkpoint that cannot be trusted is passed over.
    virtual std::optional<archive::Checkpoint> load() = 0;

    /// Whether the state after `step` should be saved. Asked after steps at which the trainer looks up, and
    /// after all that are wanted.
    virtual bool due(std::int64_t step) = 0;

    /// Whether the state after `step` is wanted whatever the time, as others may go on from there; known
    /// ahead, and the same on every rank of the group.
    virtual bool wanted(std::int64_t step) const = 0;

    /// Called when due, and when the trial is asked to stop. A disk that refuses is told and passed over: a
    /// checkpoint is no result.
    virtual void save(archive::Checkpoint checkpoint) = 0;

    /// Called in place of save() where memory had no room for the checkpoint. The trial goes on.
    virtual void found_no_memory(std::int64_t step) = 0;
};

/// Gives every rank of `group` what its first rank has; each of them must call it, the others with anything.
std::optional<archive::Checkpoint> share_checkpoint(Communicator& group,
                                                    std::optional<archive::Checkpoint> checkpoint);

}  // namespace isogrid::train
