// Notes to and from seats: on the wire a note begins with its seat's number.
#pragma once

#include <functional>

#include "cluster/messages/post_office.hpp"
#include "cluster/messages/transport.hpp"
#include "cluster/schedule/seats.hpp"

namespace isogrid::cluster {

/// The coordinator's view of seats as workers of their own. `ranks` must outlive it.
class SeatedTransport final : public Transport {
  public:
    SeatedTransport(Transport& ranks, Seats seats) : ranks_(ranks), seats_(seats) {}

    int rank() const override { return ranks_.rank(); }
    int size() const override { return 1 + seats_.workers(); }
    void send(std::span<const std::byte> bytes, int to) override;
    std::optional<Envelope> try_receive() override;
    double now() const override { return ranks_.now(); }
    bool is_one_each() const { return seats_.each == 1; }
    void wait_briefly() override { ranks_.wait_briefly(); }

  private:
    Transport& ranks_;
    Seats seats_;
};

/// Carries notes between the coordinator, by way of `ranks`, and the seats of this rank, in whose `office`
/// seat s has box s + 1, until `over()`; then what seats have said before is still sent.
void carry_notes(Transport& ranks, PostOffice& office, const std::function<bool()>& over);

}  // namespace isogrid::cluster
