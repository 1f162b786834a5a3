// Checkpoints that are kept in memory, and handed on.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "train/checkpoint.hpp"

namespace isogrid::tests {

class KeptInMemory : public train::CheckpointKeeper {
  public:
    explicit KeptInMemory(std::optional<archive::Checkpoint> start = {}) : start_from(std::move(start)) {}
    std::optional<archive::Checkpoint> load() override { return start_from; }
    bool due(std::int64_t step) override { return keeps_all || kept.contains(step); }
    bool wanted(std::int64_t) const override { return true; }
    void save(archive::Checkpoint checkpoint) override { kept[checkpoint.step] = std::move(checkpoint); }
    void found_no_memory(std::int64_t) override {}

    std::optional<archive::Checkpoint> start_from;
    bool keeps_all = false;
    std::map<std::int64_t, archive::Checkpoint> kept;  ///< by step; those that stand here are asked for
};

}  // namespace isogrid::tests
