// Whether trials are trained on processors or on CUDA cards, and which card is which rank's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fault.hpp"
#include "cluster/site/mpi_session.hpp"
#include "kernels/backend.hpp"
#include "kernels/cuda/cards.hpp"
#include "study/job.hpp"

namespace isogrid::cluster {

/// What a rank says to the others of its node.
struct RankCards {
    bool works = false;      ///< trains; a coordinator needs no card
    std::vector<int> cards;  ///< those it sees, each a number made of the card's identity
};

/// A rank's card among those that it sees, or why it has none.
struct CardChoice {
    enum class Problem { none, no_card, too_few, shared };
    Problem problem = Problem::none;
    int card = -1;
};

/// For the ranks of a node, in their order: one that sees a single card takes it (the launcher has bound it),
/// one that sees several the one of its place among the node's workers. No card is two workers'.
std::vector<CardChoice> cards_of_node(const std::vector<RankCards>& ranks);

/// The card that this rank trains on; none where it trains on the processor, or not at all. Every rank calls
/// it, and `auto` becomes the same for all of them: cards where each worker has one, of one kind.
base::Result<std::optional<int>> choose_card(const study::Job& job, const MpiSession& session,
                                             const kernels::CudaCards& seen);

/// The backend that computes on this card; a fault where the card cannot be used.
base::Result<std::unique_ptr<kernels::Backend>> backend_of_card(const study::Job& job, int card);

/// A fault on every rank where the workers' cards would give different bits after all, as their nodes have
/// different versions of cuBLASLt: `backend` computes on this rank's card, or on its processor where it has
/// none. Every rank calls it.
base::Result<void> check_versions(const study::Job& job, const MpiSession& session, bool has_card,
                                  const kernels::Backend& backend);

/// Where cards that share a trial cannot send to each other: a warning on every rank, or a fault where trials
/// ask for NCCL's own sum. `problem` is why this rank's card cannot, empty where it can or has none;
/// every rank calls it.
base::Result<std::vector<std::string>> link_warnings(const study::Job& job, const MpiSession& session,
                                                     const std::string& problem);

/// A warning for trials that planning finds too large for the card, by their number; empty for none.
std::vector<std::string> card_warnings(int too_large, std::int64_t bytes);

}  // namespace isogrid::cluster
