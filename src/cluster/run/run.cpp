#include "cluster/run/run.hpp"

#include <algorithm>
#include <csignal>
#include <functional>
#include <iostream>
#include <optional>
#include <string>

#include <tl/expected.hpp>

#include "cluster/coordination/coordinator.hpp"
#include "cluster/messages/workers_transport.hpp"
#include "cluster/run/end_all.hpp"
#include "cluster/run/first_rank.hpp"
#include "cluster/run/refusals.hpp"
#include "cluster/run/worker_rank.hpp"
#include "cluster/site/lack.hpp"
#include "cluster/site/places.hpp"
#include "cluster/site/stop_signals.hpp"
#include "data/token_file.hpp"
#include "program/ending.hpp"

namespace isogrid::cluster {

using program::exit_bad_input;

namespace {

/// Rank 0 verifies the tokens that it sees (first_rank). Where nodes have copies of their own, each copy is
/// verified here by one rank: an exit code where some are not sound.
std::optional<int> refuse_damaged_copies(const data::TokenFile& tokens, const RunRequest& request,
                                         const MpiSession& session) {
    if (session.all_say(tokens.seen_as())) return std::nullopt;
    const MpiSession::Node node =
        session.on_node({static_cast<int>(std::hash<std::string>()(tokens.seen_as()))});
    const auto first = std::find(node.said.begin(), node.said.end(), node.said[node.me]);
    const bool first_here = first == node.said.begin() + static_cast<std::ptrdiff_t>(node.me);
    const base::Result<void> mine = first_here ? tokens.verify() : base::Result<void>();
    const auto copies = session.on_node({mine ? 1 : 0}).said;
    const bool sound =
        std::all_of(copies.begin(), copies.end(), [](const auto& said) { return said[0] == 1; });
    return refuse_where_some_lack(
        mine ? base::Faults() : mine.error(), [&] { return lack_of(sound, session); }, request.archive,
        session);
}

/// The tokens as each of several ranks sees them; an exit code where one cannot use what it sees. The study
/// was read with them, on every rank: who cannot open them now is on a node that has lost sight of them.
tl::expected<data::TokenFile, int> open_tokens(const RunRequest& request, const MpiSession& session) {
    auto tokens =
        where_all_have(data::TokenFile::open(request.study.job.token_file), request.archive, session);
    if (!tokens) return tokens;
    if (const auto code = refuse_damaged_copies(*tokens, request, session)) return tl::unexpected(*code);
    return tokens;
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

int run_sweep(const RunRequest& request, const MpiSession& session) {
    std::signal(SIGPIPE, SIG_IGN);  // a sweep goes on when nobody reads what it says any more
    if (const auto fault = singleton_fault(session, request.alone)) {
        if (is_first_task()) std::cerr << base::to_string(*fault) << std::endl;
        return exit_bad_input;
    }
    if (session.size() == 1) {
        const StopSignals signals;
        return run_first_rank(request, session, signals, Misplaced()).exit_code;
    }

    const Seats& seats = request.card_plan.cards.seats;
    const bool pin = request.pin && seats.each == 1;  // seats need more than one core
    const Misplaced misplaced =
        or_end_all(session, [&] { return take_place(session, request.study.job.threads_per_rank, pin); });
    const auto tokens = or_end_all(session, [&] { return open_tokens(request, session); });
    if (!tokens) return tokens.error();
    const StopSignals signals;
    if (session.rank() != 0)
        return or_end_all(session, [&] { return run_worker(request, *tokens, session, signals); });
    WorkersTransport transport(session, seats);
    WorkersLeave leave(*transport);
    const FirstRankEnd end = run_first_rank(request, session, signals, misplaced);
    if (end.workers_dismissed) leave.already_given();
    return end.exit_code;
}

}  // namespace isogrid::cluster
