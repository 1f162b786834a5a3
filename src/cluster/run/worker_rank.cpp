#include "cluster/run/worker_rank.hpp"

#include <memory>
#include <utility>

#include "cluster/messages/mpi_communicator.hpp"
#include "cluster/messages/mpi_transport.hpp"
#include "cluster/messages/post_office.hpp"
#include "cluster/messages/seat_notes.hpp"
#include "cluster/run/end_all.hpp"
#include "cluster/worker/seat_threads.hpp"
#include "cluster/worker/worker.hpp"
#include "program/ending.hpp"

namespace isogrid::cluster {

using program::exit_done;

namespace {

/// Groups of the ranks whose seats are members.
MakeGroup groups_of(const Seats& seats) {
    return [seats](const Assign& assign, std::function<bool()> told_to_abandon) -> std::unique_ptr<Group> {
        constexpr int tags = 32766;  // MPI promises 32768; MpiCommunicator keeps two
        if (assign.ranks.size() == 1) return std::make_unique<GroupOfOne>();
        std::vector<int> ranks;
        for (const int worker : assign.ranks)
            ranks.push_back(seats.rank_of(worker));
        return std::make_unique<MpiCommunicator>(ranks, assign.attempt % tags, std::move(told_to_abandon));
    };
}

/// A seat's life: a worker's, with a machine of its own.
void work_on_seat(Desk desk, const RunRequest& request, const data::TokenFile& tokens, bool measures,
                  const std::function<bool()>& asked_to_stop) {
    const Seats& seats = request.card_plan.cards.seats;
    const Machine machine = request.machine();
    Workplace workplace = workplace_of(request, tokens);
    workplace.train = machine.train;
    workplace.seconds_per_step = measures ? machine.seconds_per_step : MeasureStep();
    // One a card, as two that measure on it at once would be in each other's way.
    workplace.measuring_workers = seats.ranks;
    work(desk, workplace, groups_of(seats), asked_to_stop);
}

void send_home(PostOffice& office, int seats) {
    for (int seat = 0; seat < seats; ++seat)
        office.post({.from = 0, .bytes = encode(Stop{})}, seat + 1);
}

/// The seats of this rank's card, until rank 0 sends them home.
void work_on_seats(const RunRequest& request, const data::TokenFile& tokens, const MpiSession& session,
                   const StopSignals& signals) {
    const Seats& seats = request.card_plan.cards.seats;
    MpiTransport ranks(session);
    PostOffice office(1 + seats.each);
    SeatThreads threads(
        seats.each,
        [&](int seat) {
            work_on_seat(Desk(office, seat + 1, seats.worker(session.rank(), seat), 1 + seats.workers()),
                         request, tokens, /*measures=*/true, [&] { return signals.received(); });
        },
        [&] { send_home(office, seats.each); });
    try {
        carry_notes(ranks, office, [&] {
            threads.rethrow();
            return threads.all_left();
        });
        threads.join();
    } catch (const std::exception& error) {
        // Nobody here can go on, and the others may be in the middle of long trials.
        end_all(session, error);
    }
}

}  // namespace

Workplace workplace_of(const RunRequest& request, const data::TokenFile& tokens) {
    return {.study = request.study,
            .tokens = tokens,
            .folder = archive::RunFolder(request.archive),
            .train = request.train,
            .instruction_set = request.instruction_set,
            .seconds_per_step = request.seconds_per_step};
}

int run_worker(const RunRequest& request, const data::TokenFile& tokens, const MpiSession& session,
               const StopSignals& signals) {
    if (request.card_plan.cards.seats.each > 1) {
        work_on_seats(request, tokens, session, signals);
        return exit_done;
    }
    MpiTransport transport(session);
    work(transport, workplace_of(request, tokens), groups_of(request.card_plan.cards.seats),
         [&] { return signals.received(); });
    return exit_done;
}

void coordinate_own_seats(const RunRequest& request, const data::TokenFile& tokens,
                          const StopSignals& signals, Sweep& sweep, const std::string& lease,
                          const CoordinatorHooks& hooks) {
    const Seats& seats = request.card_plan.cards.seats;
    PostOffice office(1 + seats.each);
    SeatThreads threads(
        seats.each,
        [&](int seat) {
            work_on_seat(Desk(office, seat + 1, seat + 1, 1 + seats.each), request, tokens,
                         /*measures=*/false, [&] { return signals.received(); });
        },
        [&] { send_home(office, seats.each); });
    Desk coordinator(office, 0, 0, 1 + seats.each);
    CoordinatorHooks watching = hooks;
    watching.keep_going = [&](const Sweep& now) {
        threads.rethrow();
        return hooks.keep_going(now);
    };
    coordinate(coordinator, sweep, lease, watching);
    send_home(office, seats.each);
    threads.join();
}

}  // namespace isogrid::cluster
