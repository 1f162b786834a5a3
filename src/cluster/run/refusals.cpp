#include "cluster/run/refusals.hpp"

#include <cstdlib>
#include <string>

#include "archive/process_identity.hpp"
#include "archive/run_folder.hpp"
#include "cluster/folder/unfit_host.hpp"
#include "program/ending.hpp"
#include "program/quantities.hpp"

namespace isogrid::cluster {

using program::plural, program::exit_other, program::exit_bad_input, program::refuse, program::say_at_once;

namespace {

int environment_number(const char* name, int otherwise) {
    const char* value = std::getenv(name);
    return value != nullptr ? std::atoi(value) : otherwise;
}

/// What one of several ranks says.
void say_of_rank(int rank, const std::string& text) {
    say_at_once("rank " + std::to_string(rank) + " on " + archive::host_name() + ": " + text);
}

}  // namespace

bool is_first_task() {
    return environment_number("SLURM_PROCID", 0) == 0;
}

std::optional<base::Fault> singleton_fault(const MpiSession& session, bool alone) {
    const int tasks = environment_number("SLURM_NTASKS", 1);
    if (alone || session.size() > 1 || tasks <= 1) return std::nullopt;
    return base::Fault{"",
                       "this is one of " + std::to_string(tasks) + " Slurm tasks, but MPI knows of no others",
                       "each would run the whole sweep by itself",
                       "start with srun --mpi=pmix or mpirun; to run alone on purpose add --alone"};
}

std::optional<int> refuse_where_some_lack(const base::Faults& faults, const JudgeLack& judge,
                                          const std::filesystem::path& archive, const MpiSession& session) {
    const int first = session.first_without(faults.empty());
    if (first < 0) return std::nullopt;
    const Lack lack = judge();
    if (lack.of_a_host) note_unfit_host(archive::RunFolder(archive).unfit);
    if (session.rank() == first && lack.of_some)
        say_of_rank(first, base::to_string(faults));
    else if (session.rank() == first)
        refuse(faults);
    return lack.of_some ? exit_other : exit_bad_input;
}

base::Faults group_faults(const study::Study& study, int workers) {
    const std::int64_t ranks = study.job.ranks_per_trial;
    const std::string where = study.job.path.string() + ": run.ranks_per_trial";
    base::Faults faults;
    if (ranks > workers)
        faults.push_back({where, std::to_string(ranks) + " ranks cannot train together",
                          (workers == 1 ? "there is " : "there are ") +
                              plural(static_cast<std::size_t>(workers), "worker") +
                              "; rank 0 only coordinates where there are more ranks than one",
                          "start " + std::to_string(ranks + (ranks > 1 ? 1 : 0)) + " ranks or lower it"});
    for (const study::PlannedTrial& planned : study.grid.trials)
        if (ranks > planned.trial.leaves) {
            faults.push_back({where, std::to_string(ranks) + " ranks cannot share trial " + planned.name,
                              "its batch is cut into " + std::to_string(planned.trial.leaves) + " leaves",
                              "raise recipe.leaves or lower it"});
            break;
        }
    return faults;
}

}  // namespace isogrid::cluster
