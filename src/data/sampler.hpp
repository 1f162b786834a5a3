// Which tokens a step trains on: a pure function of seed and place, with no state to save.
#pragma once

#include <cstdint>

namespace isogrid::data {

/// The training part is cut into whole windows of `context` inputs (and one token more, the last target,
/// shared with the next window). Each epoch visits every window exactly once, in an order that is a keyed
/// permutation. Where a trial is to repeat a part of the text, its windows are drawn from all of it: texts
/// are seldom in a random order, and the first of them would be other text than the rest. Of one seed a
/// smaller part lies within a larger one.
class Sampler {
  public:
    /// Draws from all `training_tokens`, or from `unique_tokens` of them. Either must hold at least one
    /// window: context + 1 tokens.
    Sampler(std::uint64_t seed, std::int64_t training_tokens, std::int64_t unique_tokens,
            std::int64_t context);
    Sampler(std::uint64_t seed, std::int64_t training_tokens, std::int64_t context)
        : Sampler(seed, training_tokens, training_tokens, context) {}

    std::int64_t windows() const { return windows_; }  ///< windows an epoch

    /// First token of the window that sequence `sequence` (from 0) of a trial is: row r of a step trains on
    /// the r-th after those of all steps before. The targets are the `context` tokens after the first.
    std::int64_t window_start(std::int64_t sequence) const;

  private:
    std::uint64_t seed_;
    std::int64_t all_windows_, windows_, context_;
};

}  // namespace isogrid::data
