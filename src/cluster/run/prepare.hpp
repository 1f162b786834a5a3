// What all ranks must know, and agree on, before a sweep begins: the study, the instruction set, the cards.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include <tl/expected.hpp>

#include "base/fault.hpp"
#include "cluster/site/mpi_session.hpp"
#include "cluster/site/processor.hpp"
#include "cluster/sweep/card_plan.hpp"
#include "kernels/backend.hpp"
#include "study/study.hpp"

namespace isogrid::cluster {

/// What one rank finds of what it was asked for, before it has heard the others.
struct Asked {
    std::filesystem::path archive;
    base::Result<study::Study> study;
    base::Result<InstructionSet> instruction_set;  ///< the one named, or the best that this processor runs
    bool instruction_set_is_named = false;
};

/// The same on all ranks, but for the card and what computes on it.
struct Prepared {
    study::Study study;       ///< with a warning for all that is amiss where it is to run
    std::optional<int> card;  ///< this rank's; none: it trains on its processor, or not at all
    std::unique_ptr<kernels::Backend> backend;  ///< of that card or processor
    CardPlan card_plan;
};

/// Every rank calls it. An exit code where the input, or what some rank has, is not fit for the sweep: one
/// rank has then said why, and a host at fault is noted in the archive's run folder.
tl::expected<Prepared, int> prepare(Asked asked, const MpiSession& session);

}  // namespace isogrid::cluster
