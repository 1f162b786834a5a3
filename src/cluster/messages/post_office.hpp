// Notes between threads of one process: boxes in which they wait until they are taken.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "cluster/messages/transport.hpp"

namespace isogrid::cluster {

class PostOffice {
  public:
    /// Boxes 0 .. `boxes` - 1.
    explicit PostOffice(int boxes);

    void post(Envelope envelope, int box);
    std::optional<Envelope> take(int box);
    /// Returns when something is in the box, or after so long.
    void wait(int box, std::chrono::milliseconds longest);

  private:
    struct Box {
        std::mutex mutex;
        std::condition_variable filled;
        std::deque<Envelope> envelopes;
    };
    std::vector<Box> boxes_;
};

/// The owner of one box, who counts as number `rank` of `size` ranks. Notes to rank 0 go to box 0 and name
/// `box` as their sender; notes to another rank r go to box r. The office must outlive it.
class Desk final : public Transport {
  public:
    Desk(PostOffice& office, int box, int rank, int size)
        : office_(office), box_(box), rank_(rank), size_(size) {}

    int rank() const override { return rank_; }
    int size() const override { return size_; }
    void send(std::span<const std::byte> bytes, int to) override;
    std::optional<Envelope> try_receive() override { return office_.take(box_); }
    double now() const override;
    void wait_briefly() override;

  private:
    PostOffice& office_;
    int box_, rank_, size_;
};

}  // namespace isogrid::cluster
