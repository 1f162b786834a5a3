// How a sweep's trials share its cards: how many seats these have, and what each trial needs of their memory.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/schedule/seating.hpp"
#include "cluster/site/mpi_session.hpp"
#include "kernels/backend.hpp"
#include "study/study.hpp"

namespace isogrid::cluster {

struct CardPlan {
    Cards cards = {};
    std::vector<std::int64_t> bytes = {};  ///< by trial of the grid; empty where trials have cards alone
};

/// The share of a card's memory that trials may plan to take: the rest is the driver's, the program's and the
/// libraries'.
constexpr double share_of_memory = 0.9;
constexpr std::int64_t memory_for_trials(std::int64_t card_bytes) {
    return static_cast<std::int64_t>(share_of_memory * static_cast<double>(card_bytes));
}

/// Seats of each card: as run.trials_per_card says, and default_seats where that leaves the choice; one where
/// trials are trained on processors or in groups of ranks that the job asks for.
int seats_of_cards(const study::Job& job, bool on_cards);

/// What each trial takes of a card, alone on it, by `backend`.
std::vector<std::int64_t> planned_bytes_of(const study::Grid& grid, const kernels::Backend& backend);

/// Trials that plan to hold more than `bytes`.
int count_too_large(const study::Study& study, const kernels::Backend& backend, std::int64_t bytes);

/// Trials of this many bytes each that fit on a card together, one at least.
int trials_that_fit(std::int64_t bytes, std::int64_t card_bytes, int seats);

/// For all ranks of `session`, each of which must ask: those with a card (of `card_bytes` bytes, on which
/// `backend` computes) tell the others, as a coordinator has none. One seat each where MPI or HDF5 was built
/// for programs of one thread, or the backend computes wrongly beside others.
CardPlan plan_cards(const study::Study& study, const MpiSession& session, std::int64_t card_bytes,
                    const kernels::Backend& backend);

}  // namespace isogrid::cluster
