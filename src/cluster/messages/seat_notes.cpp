#include "cluster/messages/seat_notes.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

namespace isogrid::cluster {

namespace {

constexpr int coordinator = 0;

std::vector<std::byte> with_seat(std::span<const std::byte> note, int seat) {
    std::vector<std::byte> bytes(1 + note.size());
    bytes.front() = static_cast<std::byte>(seat);
    std::copy(note.begin(), note.end(), bytes.begin() + 1);
    return bytes;
}

/// Takes the seat's number off.
int seat_from(std::vector<std::byte>& bytes) {
    if (bytes.empty())
        throw std::runtime_error(
            "a note of no seat came (the ranks disagree about how many seats a card has) start "
            "every rank from the same build of isogrid");
    const int seat = std::to_integer<int>(bytes.front());
    bytes.erase(bytes.begin());
    return seat;
}

/// Whether there were any.
bool send_what_seats_said(Transport& ranks, PostOffice& office) {
    bool any = false;
    while (const auto note = office.take(coordinator)) {
        ranks.send(with_seat(note->bytes, note->from - 1), coordinator);
        any = true;
    }
    return any;
}

}  // namespace

void SeatedTransport::send(std::span<const std::byte> bytes, int to) {
    ranks_.send(with_seat(bytes, seats_.seat_of(to)), seats_.rank_of(to));
}

std::optional<Envelope> SeatedTransport::try_receive() {
    auto note = ranks_.try_receive();
    if (note) note->from = seats_.worker(note->from, seat_from(note->bytes));
    return note;
}

void carry_notes(Transport& ranks, PostOffice& office, const std::function<bool()>& over) {
    while (!over()) {
        bool any = send_what_seats_said(ranks, office);
        while (auto note = ranks.try_receive()) {
            const int seat = seat_from(note->bytes);
            office.post({.from = coordinator, .bytes = std::move(note->bytes)}, seat + 1);
            any = true;
        }
        if (!any) ranks.wait_briefly();
    }
    send_what_seats_said(ranks, office);
}

}  // namespace isogrid::cluster
