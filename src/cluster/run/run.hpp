// `isogrid run`: a study from its trials to its archive, alone or on all ranks of an MPI job.
#pragma once

#include <filesystem>
#include <functional>
#include <set>
#include <string>

#include "archive/provenance.hpp"
#include "cluster/site/mpi_session.hpp"
#include "cluster/sweep/card_plan.hpp"
#include "cluster/worker/execute.hpp"
#include "cluster/worker/machine.hpp"
#include "study/study.hpp"

namespace isogrid::cluster {

struct RunRequest {
    const study::Study& study;
    std::filesystem::path archive;
    TrainTrial train;                   ///< where trials have cards alone, or none
    std::string instruction_set;        ///< of the backend that `train` uses
    MeasureStep seconds_per_step = {};  ///< of that backend; where it is empty nothing is measured beforehand
    /// Asked on rank 0 before anything is trained; its faults refuse the study.
    std::function<base::Faults(const data::TokenFile& tokens)> check = {};
    archive::Facts libraries = {};  ///< versions, kept in the archive beside archive::build_facts()
    bool pin = true;                ///< workers to cores of their own, where the launcher has not
    /// Trials that ended so are tried again, whatever is known of them.
    std::set<archive::Outcome> retry = {};
    bool alone = false;                     ///< run by oneself although Slurm gave the job several tasks
    CardPlan card_plan = {};                ///< the same on every rank
    std::function<Machine()> machine = {};  ///< one for each seat, where cards have several
};

/// Runs what is left of the study and merges it into the archive; every rank of `session` calls it. Rank 0
/// coordinates (or, in a world of one, trains) and speaks; it returns an exit code, workers 0.
/// Faults of the input go to standard error. What is finished stays in OUT.h5.d/ until the archive is
/// verified, however this ends.
int run_sweep(const RunRequest& request, const MpiSession& session);

}  // namespace isogrid::cluster
