#include "cluster/run/run.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "archive/find_trials.hpp"
#include "archive/provenance.hpp"
#include "cluster/run/refusals.hpp"
#include "cluster/site/as_begun.hpp"
#include "cluster/site/device.hpp"
#include "cluster/site/lack.hpp"
#include "cluster/site/processor.hpp"
#include "cluster/sweep/card_plan.hpp"
#include "cluster/worker/machine.hpp"
#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/cuda/cards.hpp"
#include "program/quantities.hpp"
#include "train/coordinate_check.hpp"
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
        if (outcome != archive::Outcome::failed && outcome != archive::Outcome::out_of_memory)
            return base::fail(
                "isogrid run", "--retry " + word + " is not possible",
                outcome ? "such a trial is a result, or is tried again anyhow" : "no trial ends so",
                "choose failed or out_of_memory");
        outcomes.insert(*outcome);
    }
    return outcomes;
}

/// The first rank, which warns, may see no card: the others tell it what they found.
void warn_of_small_cards(study::Study& study, std::optional<int> card, const kernels::CudaCards& seen,
                         const kernels::Backend& backend, const cluster::MpiSession& session) {
    if (study.job.device == study::Device::cpu) return;
    constexpr std::int64_t gigabyte = 1'000'000'000;
    const std::int64_t bytes = card ? seen.cards[static_cast<std::size_t>(*card)].bytes : 0;
    const int too_large = -session.lowest(card ? -count_too_large(study, backend, bytes) : 0);
    const int most_gigabytes = -session.lowest(-static_cast<int>(bytes / gigabyte));
    for (std::string& warning : cluster::card_warnings(too_large, most_gigabytes * gigabyte))
        study.grid.warnings.push_back(std::move(warning));
}

/// The same of cards that cannot send to each other: false where a trial asks for just that.
bool may_link(study::Study& study, std::optional<int> card, const kernels::Backend& backend,
              const cluster::MpiSession& session) {
    if (study.job.device == study::Device::cpu) return true;
    auto warnings = cluster::link_warnings(study.job, session,
                                           card ? backend.link_offer(/*first_rank=*/false).problem : "");
    if (!warnings) {
        // The coordinator has no card: whoever lacks the library says so.
        if (card) refuse(warnings.error());
        return false;
    }
    for (std::string& warning : *warnings)
        study.grid.warnings.push_back(std::move(warning));
    return true;
}

/// What every rank knows before the sweep begins.
struct Prepared {
    study::Study study;
    std::set<archive::Outcome> retry;
    std::optional<int> card;
    std::unique_ptr<kernels::Backend> backend;
    cluster::CardPlan cards;
};

/// The exit code of all ranks where some lack a result; the first one `without` says why.
template <class Result>
tl::unexpected<int> refused(const Result& result, int without, const cluster::Lack& lack,
                            const std::filesystem::path& archive, const cluster::MpiSession& session) {
    return tl::unexpected(
        cluster::refuse_without(without, result ? base::Faults() : result.error(), lack, archive, session));
}

/// Where this node has `lost` what the job was given, whatever its other ranks have.
cluster::Lack loss(bool lost, const cluster::MpiSession& session) {
    return {.of_some = session.highest({lost ? 1 : 0}).front() == 1, .of_a_host = lost};
}

/// Else a trial's number means another trial on some ranks, or its group trains two at once.
bool all_read_the_same(const study::Study& study, const cluster::MpiSession& session) {
    return session.all_say(study.job.text + "\n" + study.corpus.digest + "\n" + archive::code_revision());
}

/// What the trials that are there were trained with: the first rank looks, and tells the others.
std::set<std::string> begun_with(const std::filesystem::path& archive, const study::Grid& grid,
                                 const cluster::MpiSession& session) {
    std::string words;
    if (session.rank() == 0)
        if (const auto found = archive::find_trials(archive, grid, archive::WeightsUse::skip))
            for (const std::string& word : archive::trained_with(*found))
                words += word + "\n";
    std::istringstream told(session.as_first_says(words));
    std::set<std::string> begun;
    for (std::string word; std::getline(told, word);)
        begun.insert(word);
    return begun;
}

bool is_card(const std::string& word) {
    return word.starts_with("sm_");
}

/// Where what trained so far is not to be had, or is slower than what is here, that is told.
void warn_of_bits(study::Study& study, const std::set<std::string>& begun, cluster::InstructionSet best,
                  const kernels::Backend& backend, const cluster::MpiSession& session) {
    const study::Precision precision = study.job.recipe.precision;
    const bool works = session.size() == 1 || session.rank() != 0;
    const std::string here = backend.instruction_set();
    const bool others = works && cluster::would_mix_bits(begun, here, precision);
    if (session.sum(others ? 1 : 0) > 0) study.grid.warnings.push_back(cluster::warning_of_mixed_bits(begun));
    const auto lowest_best = static_cast<cluster::InstructionSet>(session.lowest(static_cast<int>(best)));
    if (backend.on_host() && here != kernels::cpu::name(lowest_best))
        study.grid.warnings.push_back(cluster::warning_of_lower_set(here, lowest_best));
}

/// Where `auto` passes cards over that some workers have.
void warn_of_idle_cards(study::Study& study, bool trains_on_cards, const kernels::CudaCards& seen,
                        const cluster::MpiSession& session) {
    if (study.job.device != study::Device::automatic) return;
    const bool works = session.size() == 1 || session.rank() != 0;
    const int with_cards = session.sum(works && !seen.cards.empty() ? 1 : 0);
    if (session.sum(trains_on_cards ? 1 : 0) > 0 || with_cards == 0) return;
    const auto workers = static_cast<std::size_t>(std::max(1, session.size() - 1));
    study.grid.warnings.push_back(
        "all trials are trained on processors, although CUDA cards are seen by " +
        std::to_string(with_cards) + " of " + program::plural(workers, "worker") +
        " (device = \"auto\" takes cards where every worker has one, of one kind) ask "
        "for a card a worker, or set device = \"cuda\"");
}

/// An exit code where the input, or what a rank has, is not fit for it; the first rank speaks for all.
tl::expected<Prepared, int> prepare(const options::variables_map& given, const cluster::MpiSession& session) {
    const std::filesystem::path archive = text(given, "archive");
    auto study = read_job(given);
    // A file that only some ranks can read must not leave the others waiting for them. If one can the input
    // is good, and another start may go without the nodes that have lost sight of it.
    if (const int without = session.first_without(study.has_value()); without >= 0)
        return refused(study, without, cluster::lack_of(study.has_value(), session), archive, session);
    if (!all_read_the_same(*study, session)) {
        if (session.rank() == 0)
            program::say_at_once(base::to_string(
                base::Faults{{study->job.path.string(), "is not the same on all ranks",
                              "their nodes see different versions of it, of its tokens or of isogrid",
                              "wait a minute and run the same command again"}}));
        return tl::unexpected(int{program::exit_other});
    }
    const auto best = cluster::instruction_set_of("run", text(given, "isa"));
    if (const int without = session.first_without(best.has_value()); without >= 0)
        return refused(best, without, cluster::lack_of(best.has_value(), session), archive, session);

    auto retry = outcomes_to_retry(given);
    if (!retry) return refused(retry, 0, cluster::Lack{}, archive, session);

    // Where nodes differ, the best that all of them run (each set includes those before it): a trial's bits
    // must not depend on which ranks it came to.
    const std::set<std::string> begun = begun_with(archive, study->grid, session);
    const auto mine =
        text(given, "isa") == "auto" ? cluster::as_begun(*best, begun, study->job.recipe.precision) : *best;
    const auto instruction_set = static_cast<cluster::InstructionSet>(session.lowest(static_cast<int>(mine)));
    const kernels::CudaCards seen =
        study->job.device == study::Device::cpu ? kernels::CudaCards{} : kernels::cuda_cards();
    auto card = cluster::choose_card(study->job, session, seen);
    if (study->job.device == study::Device::automatic && session.sum(card && *card ? 1 : 0) == 0) {
        if (std::any_of(begun.begin(), begun.end(), is_card)) {  // processors give other bits
            study->job.device = study::Device::cuda;
            card = cluster::choose_card(study->job, session, seen);
        }
    }
    const int cards_here = static_cast<int>(seen.cards.size());
    const int most_cards = session.highest({cards_here}).front();
    const bool is_usual = 2 * session.sum(cards_here == most_cards ? 1 : 0) > session.size();
    const bool lost = !card && cards_here < most_cards && (cards_here == 0 || is_usual);
    if (const int without = session.first_without(card.has_value()); without >= 0)
        return refused(card, without, loss(lost, session), archive, session);
    warn_of_idle_cards(*study, card->has_value(), seen, session);
    auto made =
        *card ? backend_of_card(study->job, **card)
              : base::Result<std::unique_ptr<kernels::Backend>>(kernels::cpu::make_backend(instruction_set));
    const bool one_can = session.highest({*card && made ? 1 : 0}).front() == 1;
    if (const int without = session.first_without(made.has_value()); without >= 0)
        return refused(made, without, loss(!made && one_can, session), archive, session);
    std::unique_ptr<kernels::Backend> backend = std::move(*made);
    warn_of_precision(*study, *backend);
    warn_of_bits(*study, begun, *best, *backend, session);
    warn_of_small_cards(*study, *card, seen, *backend, session);
    if (!may_link(*study, *card, *backend, session)) return tl::unexpected(int{exit_bad_input});
    const std::int64_t card_bytes = *card ? seen.cards[static_cast<std::size_t>(**card)].bytes : 0;
    cluster::CardPlan cards = study->job.device == study::Device::cpu
                                  ? cluster::CardPlan{}
                                  : cluster::plan_cards(*study, session, card_bytes, *backend);
    return Prepared{.study = std::move(*study),
                    .retry = std::move(*retry),
                    .card = *card,
                    .backend = std::move(backend),
                    .cards = std::move(cards)};
}

/// Every rank comes here.
int run(const options::variables_map& given) {
    const cluster::MpiSession session;
    const auto prepared = cluster::or_end_all(session, [&] { return prepare(given, session); });
    if (!prepared) return prepared.error();
    const study::Study& study = prepared->study;
    kernels::Backend& backend = *prepared->backend;
    const auto train = [&](const study::Trial& trial, const data::TokenFile& tokens,
                           train::Communicator& group, const train::TrainOptions& how) {
        return train::train(trial, tokens, backend, group, how);
    };
    return cluster::run_sweep(
        {.study = study,
         .archive = text(given, "archive"),
         .train = train,
         .instruction_set = backend.instruction_set(),
         .seconds_per_step =
             [&](const study::Trial& trial) {
                 return train::measure_seconds_per_step(trial, backend, study.job.threads_per_rank);
             },
         .check =
             [&](const data::TokenFile& tokens) { return train::check_coordinates(study, tokens, backend); },
         .libraries = {{"token_file", study.job.tokens}, {"mpi", cluster::mpi_library_version()}},
         .pin = !given.contains("no-pin"),
         .retry = prepared->retry,
         .alone = given.contains("alone"),
         .cards = prepared->cards,
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
