// Notes between the ranks of an MPI job.
#pragma once

#include "cluster/messages/transport.hpp"
#include "cluster/site/mpi_session.hpp"
#include "cluster/site/patience.hpp"

namespace isogrid::cluster {

class MpiTransport final : public Transport {
  public:
    /// Over all ranks of `session`, which must have been started by a launcher and must outlive this. Of
    /// several in a rank only one may receive: what it takes the others do not see.
    explicit MpiTransport(const MpiSession& session);

    int rank() const override { return session_.rank(); }
    int size() const override { return session_.size(); }
    void send(std::span<const std::byte> bytes, int to) override;
    std::optional<Envelope> try_receive() override;
    double now() const override;
    void wait_briefly() override;

  private:
    const MpiSession& session_;
    Patience patience_;
};

}  // namespace isogrid::cluster
