// A group of MPI ranks that trains one trial.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cluster/messages/group.hpp"

namespace isogrid::cluster {

/// Every member can leave at any time, in the middle of an exchange too: agree() sends a farewell down the
/// same channels as the values, so that whoever still waits for values finds the farewell instead, and
/// receives what is still on its way until each member has said farewell. Nobody hangs, nothing is left over.
class MpiCommunicator final : public Group {
  public:
    /// Makes the communicator; every rank of `ranks` (world ranks, rising) must do so, and no other. Groups
    /// that are made at the same time and share ranks need different `tag`s (0 .. 32765). `told_to_abandon`
    /// is looked at in every wait for another member: once it is true nobody is waited for any more, and the
    /// communicator and what is on its way are left to MPI's end. A rank that dies before its group is made
    /// cannot be helped: the others wait inside MPI.
    MpiCommunicator(std::span<const int> ranks, int tag, std::function<bool()> told_to_abandon = {});
    ~MpiCommunicator() override;

    int rank() const override { return rank_; }
    int size() const override { return size_; }
    void exchange(int partner, std::span<const float> outgoing, std::span<float> incoming) override;
    void exchange(int partner, std::span<const double> outgoing, std::span<double> incoming) override;
    bool somebody_left() override;
    Verdict agree(const Verdict& mine) override;

  private:
    struct Handle;
    template <class T>
    void exchange_values(int partner, std::span<const T> outgoing, std::span<T> incoming);
    void receive_next();

    bool abandoned();

    std::unique_ptr<Handle> handle_;
    std::function<bool()> told_to_abandon_;
    int rank_ = 0, size_ = 1;
    std::vector<std::optional<Verdict>> farewells_;  ///< by rank in the group
};

}  // namespace isogrid::cluster
