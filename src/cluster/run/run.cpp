#include "cluster/run/run.hpp"

#include <algorithm>
#include <csignal>
#include <exception>
#include <functional>
#include <iostream>
#include <optional>
#include <string>

#include "cluster/coordination/coordinator.hpp"
#include "cluster/messages/workers_transport.hpp"
#include "cluster/run/first_rank.hpp"
#include "cluster/run/refusals.hpp"
#include "cluster/run/worker_rank.hpp"
#include "cluster/site/lack.hpp"
#include "cluster/site/places.hpp"
#include "cluster/site/stop_signals.hpp"
#include "data/token_file.hpp"
#include "program/ending.hpp"

namespace isogrid::cluster {

using program::exit_other, program::exit_bad_input, program::say_at_once, program::words_of;

namespace {

/// Rank 0 verifies the tokens that it sees (first_rank). Where nodes have copies of their own, each copy is
/// verified here by one rank: an exit code where some are not sound.
std::optional<int> refuse_damaged_copies(const base::Result<data::TokenFile>& tokens,
                                         const RunRequest& request, const MpiSession& session) {
    if (session.size() == 1 || session.all_say(tokens->seen_as())) return std::nullopt;
    const MpiSession::Node node =
        session.on_node({static_cast<int>(std::hash<std::string>()(tokens->seen_as()))});
    const auto first = std::find(node.said.begin(), node.said.end(), node.said[node.me]);
    const bool first_here = first == node.said.begin() + static_cast<std::ptrdiff_t>(node.me);
    const base::Result<void> mine = first_here ? tokens->verify() : base::Result<void>();
    const auto copies = session.on_node({mine ? 1 : 0}).said;
    const bool sound =
        std::all_of(copies.begin(), copies.end(), [](const auto& said) { return said[0] == 1; });
    const int without = session.first_without(mine.has_value());
    if (without < 0) return std::nullopt;
    return refuse_without(without, mine ? base::Faults() : mine.error(), lack_of(sound, session),
                          request.archive, session);
}

/// The workers' leave, given however rank 0's part ends.
class WorkersLeave {
  public:
    explicit WorkersLeave(Transport& transport) : transport_(transport) {}
    ~WorkersLeave() {
        if (given_) return;
        try {
            dismiss_workers(transport_);
        } catch (const MpiError&) {
            // They cannot be reached: MPI's end, next, will say so.
        }
    }
    WorkersLeave(const WorkersLeave&) = delete;
    WorkersLeave& operator=(const WorkersLeave&) = delete;
    void already_given() { given_ = true; }

  private:
    Transport& transport_;
    bool given_ = false;
};

}  // namespace

void end_all(const MpiSession& session, const std::exception& error) {
    say_at_once("rank " + std::to_string(session.rank()) + ": " + words_of(error) + "\n");
    session.abort(exit_other);
}

int run_sweep(const RunRequest& request, const MpiSession& session) {
    std::signal(SIGPIPE, SIG_IGN);  // a sweep goes on when nobody reads what it says any more
    std::signal(SIGXFSZ,
                SIG_IGN);  // a file that may grow no more is as a full disk: its write fails, and says so
    if (const auto fault = singleton_fault(session, request.alone)) {
        if (is_first_task()) std::cerr << base::to_string(*fault) << std::endl;
        return exit_bad_input;
    }
    const bool pin = request.pin && request.card_plan.cards.seats.each == 1;  // seats need more than one core
    const Misplaced misplaced = or_end_all(session, [&] {
        return session.size() > 1 ? take_place(session, request.study.job.threads_per_rank, pin)
                                  : Misplaced{};
    });
    // The study was read with it, on every rank: who cannot open it now is on a node that has lost sight of
    // it.
    const auto tokens =
        or_end_all(session, [&] { return data::TokenFile::open(request.study.job.token_file); });
    const std::optional<int> refused = or_end_all(session, [&]() -> std::optional<int> {
        const int without = session.first_without(tokens.has_value());
        if (session.size() == 1 || without < 0) return std::nullopt;
        return refuse_without(without, tokens ? base::Faults() : tokens.error(),
                              lack_of(tokens.has_value(), session), request.archive, session);
    });
    if (refused) return *refused;
    if (const auto code =
            or_end_all(session, [&] { return refuse_damaged_copies(tokens, request, session); }))
        return *code;
    const StopSignals signals;
    if (session.rank() != 0)
        return or_end_all(session, [&] { return run_worker(request, *tokens, session, signals); });
    if (session.size() == 1) return run_first_rank(request, session, signals, misplaced).exit_code;
    WorkersTransport transport(session, request.card_plan.cards.seats);
    WorkersLeave leave(*transport);
    const FirstRankEnd end = run_first_rank(request, session, signals, misplaced);
    if (end.workers_dismissed) leave.already_given();
    return end.exit_code;
}

}  // namespace isogrid::cluster
