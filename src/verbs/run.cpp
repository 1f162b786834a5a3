#include "cluster/run/run.hpp"

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "cluster/run/end_all.hpp"
#include "cluster/run/prepare.hpp"
#include "cluster/worker/machine.hpp"
#include "train/coordinate_check.hpp"
#include "train/cost.hpp"
#include "train/trainer.hpp"
#include "verbs/job.hpp"
#include "verbs/verbs.hpp"

namespace isogrid::verbs {
namespace {

/// The outcomes that --retry names.
base::Result<std::set<archive::Outcome>> outcomes_to_retry(const options::variables_map& given) {
    std::set<archive::Outcome> outcomes;
    if (!given.contains("retry")) return outcomes;
    for (const std::string& word : given["retry"].as<std::vector<std::string>>()) {
        const auto outcome = archive::parse_outcome(word);
        if (!outcome || !archive::is_failure(*outcome))
            return base::fail(
                "isogrid run", "--retry " + word + " is not possible",
                outcome ? "such a trial is a result, or is tried again anyhow" : "no trial ends so",
                "choose failed or out_of_memory");
        outcomes.insert(*outcome);
    }
    return outcomes;
}

/// Every rank comes here.
int run(const options::variables_map& given) {
    const cluster::MpiSession session;
    const auto retry = outcomes_to_retry(given);
    if (!retry) return session.rank() == 0 ? refuse(retry.error()) : exit_bad_input;
    const std::filesystem::path archive = text(given, "archive");
    const std::string named = text(given, "isa");
    const auto prepared = cluster::or_end_all(session, [&] {
        return cluster::prepare({.archive = archive,
                                 .study = read_job(given),
                                 .instruction_set = cluster::instruction_set_of("run", named),
                                 .instruction_set_is_named = named != "auto"},
                                session);
    });
    if (!prepared) return prepared.error();
    const study::Study& study = prepared->study;
    kernels::Backend& backend = *prepared->backend;
    const auto train = [&](const study::Trial& trial, const data::TokenFile& tokens,
                           train::Communicator& group, const train::TrainOptions& how) {
        return train::train(trial, tokens, backend, group, how);
    };
    return cluster::run_sweep(
        {.study = study,
         .archive = archive,
         .train = train,
         .instruction_set = backend.instruction_set(),
         .seconds_per_step =
             [&](const study::Trial& trial) {
                 return train::measure_seconds_per_step(trial, backend, study.job.threads_per_rank);
             },
         .check =
             [&](const data::TokenFile& tokens) { return train::check_coordinates(study, tokens, backend); },
         .libraries = {{"token_file", study.job.tokens},
                       {"tokenizer", study.corpus.tokenizer},
                       {"mpi", cluster::mpi_library_version()}},
         .pin = !given.contains("no-pin"),
         .retry = *retry,
         .alone = given.contains("alone"),
         .card_plan = prepared->card_plan,
         .machine = [&] { return cluster::machine_on_card(prepared->card.value()); }},
        session);
}

}  // namespace

Verb run_verb() {
    using options::value;
    Verb verb{
        .name = "run",
        .arguments =
            "JOB.toml --archive OUT.h5 [--scale F] [--isa NAME] [--retry failed] [--no-pin] [--alone]",
        .summary = "Trains what is missing of a job and writes its archive: alone, or under mpirun or srun.",
        .positions = {"JOB"},
        .run = run};
    verb.described.add_options()("archive", value<std::string>()->required(), "the archive to write");
    add_scale(verb);
    add_isa(verb);
    auto option = verb.described.add_options();
    option("retry", value<std::vector<std::string>>()->composing(),
           "trials to try again although they were given up: failed, out_of_memory");
    option("no-pin", "leave it to the launcher on which cores ranks compute");
    option("alone", "one rank on purpose, inside a Slurm job of several tasks");
    return verb;
}

}  // namespace isogrid::verbs
