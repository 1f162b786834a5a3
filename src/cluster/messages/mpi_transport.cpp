#include "cluster/messages/mpi_transport.hpp"

#include <chrono>
#include <mpi.h>

#include "cluster/site/clocks.hpp"

namespace isogrid::cluster {

namespace {

constexpr int note_tag = 1;  // over MPI_COMM_WORLD; groups are made there too, under higher tags

// A worker that ended its trial waits for the coordinator's nap to end; looking 300 times a second costs less
// than 1% of a core.
constexpr std::chrono::milliseconds longest_nap{3};

}  // namespace

MpiTransport::MpiTransport(const MpiSession& session) : session_(session), patience_(longest_nap) {}

void MpiTransport::send(std::span<const std::byte> bytes, int to) {
    const MpiTurn turn;
    check_mpi(MPI_Send(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, to, note_tag, MPI_COMM_WORLD),
              "sending a note");
}

std::optional<Envelope> MpiTransport::try_receive() {
    const MpiTurn turn;
    int there = 0;
    MPI_Status status;
    check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, note_tag, MPI_COMM_WORLD, &there, &status), "looking for notes");
    if (there == 0) return std::nullopt;
    int count = 0;
    check_mpi(MPI_Get_count(&status, MPI_BYTE, &count), "measuring a note");
    Envelope envelope{.from = status.MPI_SOURCE,
                      .bytes = std::vector<std::byte>(static_cast<std::size_t>(count))};
    check_mpi(MPI_Recv(envelope.bytes.data(), count, MPI_BYTE, envelope.from, note_tag, MPI_COMM_WORLD,
                       MPI_STATUS_IGNORE),
              "receiving a note");
    patience_.end();
    return envelope;
}

double MpiTransport::now() const {
    return steady_seconds();
}

void MpiTransport::wait_briefly() {
    patience_.wait();
}

}  // namespace isogrid::cluster
