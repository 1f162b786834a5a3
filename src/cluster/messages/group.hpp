// The ranks that train one trial together, from the first exchange to an agreement on how it ended.
#pragma once

#include <span>
#include <stdexcept>
#include <string>

#include "archive/record.hpp"
#include "train/communicator.hpp"

namespace isogrid::cluster {

/// How one member's part of a trial ended.
struct Verdict {
    archive::Outcome outcome = archive::Outcome::completed;
    std::string cause;
    bool followed = false;  ///< the member ended only because another one had
    bool operator==(const Verdict&) const = default;
};

/// What all members make of their verdicts, in rank order: completed or diverged where all say so, else the
/// first verdict that is not and that came from the member's own trouble. At least one verdict.
Verdict agreed(std::span<const Verdict> verdicts);

/// Thrown out of an exchange whose partner has already ended its part of the trial, or never will.
class MemberEnded : public std::runtime_error {
  public:
    MemberEnded() : std::runtime_error("another rank of the group ended its part of the trial") {}
};

class Group : public train::Communicator {
  public:
    /// Tells every member how this one's part ended, hears from all, and returns what is agreed: the same on
    /// each. To be called exactly once, last, and especially when training threw. `interrupted` where the
    /// group was abandoned, whatever the others say: some of them may be gone.
    virtual Verdict agree(const Verdict& mine) = 0;
};

/// A rank by itself, of whom nothing is exchanged (train::Alone).
class GroupOfOne final : public Group {
  public:
    int rank() const override { return 0; }
    int size() const override { return 1; }
    void exchange(int partner, std::span<const float> outgoing, std::span<float> incoming) override {
        train::Alone().exchange(partner, outgoing, incoming);
    }
    void exchange(int partner, std::span<const double> outgoing, std::span<double> incoming) override {
        train::Alone().exchange(partner, outgoing, incoming);
    }
    Verdict agree(const Verdict& mine) override { return mine; }
};

}  // namespace isogrid::cluster
