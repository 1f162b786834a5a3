#include "cluster/messages/mpi_communicator.hpp"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>
#include <mpi.h>
#include <optional>
#include <type_traits>

#include "cluster/site/mpi_session.hpp"
#include "cluster/site/patience.hpp"

namespace isogrid::cluster {

namespace {

constexpr int values_tag = 1, farewell_tag = 2;

// Open MPI 4.1 makes a group by ordinary messages over its parent, under the caller's tag, although MPI 3.1
// (section 6.4.2) says that such tags never meet. So group tags begin above that of MpiTransport's notes.
constexpr int first_group_tag = 2;
constexpr std::size_t segment = std::size_t{1} << 24;  // values a message: counts of MPI 3 are 32-bit
constexpr std::size_t longest_cause = 1000;  // bytes: a farewell is sent before anybody waits for it

/// A farewell on the wire: outcome, followed, then the cause.
std::vector<std::byte> to_bytes(const Verdict& verdict) {
    const std::string cause = verdict.cause.substr(0, longest_cause);
    std::vector<std::byte> bytes(2 + cause.size());
    bytes[0] = static_cast<std::byte>(verdict.outcome);
    bytes[1] = static_cast<std::byte>(verdict.followed);
    std::memcpy(bytes.data() + 2, cause.data(), cause.size());
    return bytes;
}

Verdict to_verdict(std::span<const std::byte> bytes) {
    assert(bytes.size() >= 2);
    return {.outcome = static_cast<archive::Outcome>(bytes[0]),
            .cause = std::string(reinterpret_cast<const char*>(bytes.data()) + 2, bytes.size() - 2),
            .followed = bytes[1] != std::byte{0}};
}

// A member that waits for another is late by an eighth of the wait at most, and by this.
constexpr std::chrono::milliseconds longest_nap{1};

/// MPI_Probe, but asleep when it takes long, and without an answer once `abandoned()`, whatever is there:
/// what a member that was told the same has sent may be gone from its memory before all of it is here.
template <class Abandoned>
std::optional<MPI_Status> probe(int source, MPI_Comm communicator, Abandoned abandoned,
                                std::string_view doing) {
    MPI_Status status;
    int there = 0;
    wait_for(
        [&] {
            if (abandoned()) return true;
            const MpiTurn turn;
            check_mpi(MPI_Iprobe(source, MPI_ANY_TAG, communicator, &there, &status), doing);
            return there != 0;
        },
        longest_nap);
    return there != 0 ? std::optional(status) : std::nullopt;
}

// A member that has been told that the group is given up goes on with what it sends for so long: the others,
// told at the same time, may have begun to receive it, and read it from this member's memory.
constexpr std::chrono::seconds last_words{1};

/// MPI_Waitall, but asleep when it takes long, and no longer than until `last_words` after `abandoned()`.
template <class Abandoned>
void wait_for_all(std::span<MPI_Request> requests, Abandoned abandoned, std::string_view doing) {
    std::optional<std::chrono::steady_clock::time_point> told;
    wait_for(
        [&] {
            int done = 0;
            {
                const MpiTurn turn;
                check_mpi(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done,
                                      MPI_STATUSES_IGNORE),
                          doing);
            }
            if (done == 0 && !told && abandoned()) told = std::chrono::steady_clock::now();
            return done != 0 || (told && std::chrono::steady_clock::now() - *told >= last_words);
        },
        longest_nap);
}

struct MpiGroup {
    MPI_Group value = MPI_GROUP_NULL;
    ~MpiGroup() {
        if (value != MPI_GROUP_NULL) MPI_Group_free(&value);
    }
};

}  // namespace

struct MpiCommunicator::Handle {
    MPI_Comm value = MPI_COMM_NULL;
    bool abandoned = false;  ///< somebody may be gone: freeing waits for all members
    ~Handle() {
        const MpiTurn turn;
        if (value != MPI_COMM_NULL && !abandoned) MPI_Comm_free(&value);
    }
};

MpiCommunicator::MpiCommunicator(std::span<const int> ranks, int tag, std::function<bool()> told_to_abandon)
    : handle_(std::make_unique<Handle>()), told_to_abandon_(std::move(told_to_abandon)) {
    const MpiTurn turn;  // also while the members meet: they come as soon as they have read the same note
    MpiGroup world, members;
    check_mpi(MPI_Comm_group(MPI_COMM_WORLD, &world.value), "listing the ranks");
    check_mpi(MPI_Group_incl(world.value, static_cast<int>(ranks.size()), ranks.data(), &members.value),
              "choosing a group's ranks");
    check_mpi(MPI_Comm_create_group(MPI_COMM_WORLD, members.value, first_group_tag + tag, &handle_->value),
              "making a group");
    check_mpi(MPI_Comm_set_errhandler(handle_->value, MPI_ERRORS_RETURN), "choosing how errors are told");
    check_mpi(MPI_Comm_rank(handle_->value, &rank_), "asking for the rank in a group");
    check_mpi(MPI_Comm_size(handle_->value, &size_), "asking for a group's size");
    farewells_.resize(static_cast<std::size_t>(size_));
}

MpiCommunicator::~MpiCommunicator() = default;

bool MpiCommunicator::abandoned() {
    if (!handle_->abandoned && told_to_abandon_) handle_->abandoned = told_to_abandon_();
    return handle_->abandoned;
}

void MpiCommunicator::exchange(int partner, std::span<const float> outgoing, std::span<float> incoming) {
    exchange_values(partner, outgoing, incoming);
}

void MpiCommunicator::exchange(int partner, std::span<const double> outgoing, std::span<double> incoming) {
    exchange_values(partner, outgoing, incoming);
}

template <class T>
void MpiCommunicator::exchange_values(int partner, std::span<const T> outgoing, std::span<T> incoming) {
    assert(outgoing.size() == incoming.size());
    const MPI_Datatype type = std::is_same_v<T, float> ? MPI_FLOAT : MPI_DOUBLE;
    const auto given_up = [&] { return abandoned(); };
    for (std::size_t first = 0; first < outgoing.size(); first += segment) {
        const int count = static_cast<int>(std::min(segment, outgoing.size() - first));
        MPI_Request sending = MPI_REQUEST_NULL;
        {
            const MpiTurn turn;
            check_mpi(MPI_Isend(outgoing.data() + first, count, type, partner, values_tag, handle_->value,
                                &sending),
                      "sending to a member of the group");
        }
        // The next message is the partner's values or its farewell; which, only its tag tells.
        const auto status = probe(partner, handle_->value, given_up, "waiting for a member of the group");
        const bool ended = !status || status->MPI_TAG == farewell_tag;
        if (ended) {
            wait_for_all({&sending, 1}, given_up, "sending to a member of the group");
            throw MemberEnded();  // agree() receives the farewell
        }
        {
            const MpiTurn turn;
            check_mpi(MPI_Recv(incoming.data() + first, count, type, partner, values_tag, handle_->value,
                               MPI_STATUS_IGNORE),
                      "receiving from a member of the group");
        }
        // As long as the transfer takes, unless the partner was told to leave between sending and receiving.
        wait_for_all({&sending, 1}, given_up, "sending to a member of the group");
        if (sending != MPI_REQUEST_NULL) throw MemberEnded();
    }
}

bool MpiCommunicator::somebody_left() {
    int there = 0;
    {
        const MpiTurn turn;
        check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, farewell_tag, handle_->value, &there, MPI_STATUS_IGNORE),
                  "looking for a farewell");
    }
    return there != 0 || abandoned();
}

/// Takes the next message of any member: a farewell is kept, values that nobody waits for any more are not.
void MpiCommunicator::receive_next() {
    const auto status = probe(
        MPI_ANY_SOURCE, handle_->value, [&] { return abandoned(); }, "waiting for a farewell");
    if (!status) return;
    const MpiTurn turn;
    int count = 0;
    check_mpi(MPI_Get_count(&*status, MPI_BYTE, &count), "measuring a message");
    std::vector<std::byte> bytes(static_cast<std::size_t>(count));
    check_mpi(MPI_Recv(bytes.data(), count, MPI_BYTE, status->MPI_SOURCE, status->MPI_TAG, handle_->value,
                       MPI_STATUS_IGNORE),
              "receiving a farewell");
    if (status->MPI_TAG == farewell_tag)
        farewells_[static_cast<std::size_t>(status->MPI_SOURCE)] = to_verdict(bytes);
}

Verdict MpiCommunicator::agree(const Verdict& mine) {
    const auto bytes = to_bytes(mine);
    std::vector<MPI_Request> sending(static_cast<std::size_t>(size_), MPI_REQUEST_NULL);
    for (int member = 0; member < size_; ++member) {
        const MpiTurn turn;
        if (member != rank_)
            check_mpi(MPI_Isend(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, member, farewell_tag,
                                handle_->value, &sending[static_cast<std::size_t>(member)]),
                      "saying farewell");
    }
    farewells_[static_cast<std::size_t>(rank_)] = mine;
    // From all members at once: one may be unable to end an exchange before its values are taken here.
    const auto given_up = [&] { return abandoned(); };
    while (!given_up() && !std::all_of(farewells_.begin(), farewells_.end(),
                                       [](const auto& said) { return said.has_value(); }))
        receive_next();
    wait_for_all(sending, given_up, "saying farewell");
    if (given_up()) return {archive::Outcome::interrupted, "given up: a rank of the group is gone"};
    std::vector<Verdict> verdicts;
    for (const auto& farewell : farewells_)
        verdicts.push_back(*farewell);
    return agreed(verdicts);
}

}  // namespace isogrid::cluster
