#include "verbs/job_verbs.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <sys/ioctl.h>

#include "archive/archive.hpp"
#include "archive/checkpoint_file.hpp"
#include "archive/run_folder.hpp"
#include "cluster/folder/run_folder.hpp"
#include "cluster/machine.hpp"
#include "cluster/run.hpp"
#include "cluster/site/device.hpp"
#include "cluster/site/processor.hpp"
#include "cluster/sweep/card_plan.hpp"
#include "cluster/sweep/left_to_do.hpp"
#include "cluster/sweep/plan.hpp"
#include "data/batches.hpp"
#include "data/npy.hpp"
#include "data/token_file.hpp"
#include "kernels/backend.hpp"
#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/cuda/cards.hpp"
#include "model/llama.hpp"
#include "study/study.hpp"
#include "train/coordinate_check.hpp"
#include "train/trainer.hpp"

namespace isogrid::verbs {
namespace {

// ---- what these verbs need

study::Result<study::CorpusFacts> read_corpus(const std::filesystem::path& token_file) {
    return data::TokenFile::open(token_file).map([](const data::TokenFile& file) {
        const data::TokenFileHeader& header = file.header();
        return study::CorpusFacts{header.vocabulary, header.training_tokens, header.validation_tokens,
                                  header.digest};
    });
}

/// The job that JOB names, scaled where --scale says so.
study::Result<study::Study> read_job(const options::variables_map& given) {
    std::optional<double> scale;
    if (given.contains("scale")) scale = given["scale"].as<double>();
    return study::read_study(text(given, "JOB"), read_corpus, model::exact_flops_per_token, scale);
}

/// The trials of a study in the form that find_trial looks through.
std::vector<archive::TrialRecord> as_records(const study::Grid& grid) {
    std::vector<archive::TrialRecord> records;
    for (const study::PlannedTrial& planned : grid.trials) {
        archive::TrialRecord& record = records.emplace_back();
        record.planned = planned;
        record.index = static_cast<std::int64_t>(records.size()) - 1;
    }
    return records;
}

void warn_of_precision(study::Study& study, const kernels::Backend& backend) {
    for (std::string& warning : cluster::precision_warnings(study, backend))
        study.grid.warnings.push_back(std::move(warning));
}

/// The backend of a card; a fault where it cannot be used.
study::Result<std::unique_ptr<kernels::Backend>> backend_of_card(const study::Job& job, int card) {
    try {
        return kernels::make_cuda_backend(card);
    } catch (const std::exception& error) {
        return study::fail(job.path.string() + ": run.device", "the CUDA card cannot be used", error.what(),
                           "correct that, or set device = \"cpu\"");
    }
}

/// Trials that plan to hold more than `bytes`.
int count_too_large(const study::Study& study, const kernels::Backend& backend, std::int64_t bytes) {
    return static_cast<int>(std::count_if(
        study.grid.trials.begin(), study.grid.trials.end(), [&](const study::PlannedTrial& planned) {
            return train::planned_bytes(planned.trial, 1, 1, backend) > bytes;
        }));
}

int terminal_columns() {
    winsize size{};
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 100;
}

// ---- the verbs

int plan(const options::variables_map& given) {
    const int ranks = given["ranks"].as<int>();
    if (ranks < 1)
        return refuse({{"isogrid plan", "--ranks must be at least 1", std::to_string(ranks), "ask for one"}});
    const auto instruction_set = cluster::instruction_set_of("plan", text(given, "isa"));
    if (!instruction_set) return refuse(instruction_set.error());
    auto study = read_job(given);
    if (!study) return refuse(study.error());
    std::unique_ptr<kernels::Backend> backend = kernels::cpu::make_backend(*instruction_set);
    std::int64_t card_bytes = 0;
    if (study->job.device != study::Device::cpu) {
        const kernels::CudaCards seen = kernels::cuda_cards();
        auto on_card = backend_of_card(study->job, 0);
        if (on_card) {
            backend = std::move(*on_card);
            const std::int64_t bytes = card_bytes = seen.cards.front().bytes;
            for (std::string& warning :
                 cluster::card_warnings(count_too_large(*study, *backend, bytes), bytes))
                study->grid.warnings.push_back(std::move(warning));
        } else {
            study->grid.warnings.push_back("times and memory are this processor's (" +
                                           on_card.error().front().why +
                                           ") plan on a machine with the cards that will train");
        }
    }
    warn_of_precision(*study, *backend);
    const cluster::Costs costs{
        .seconds_per_step =
            [&](const study::Trial& trial) { return train::measure_seconds_per_step(trial, *backend); },
        .bytes =
            [&](const study::Trial& trial) {
                return train::planned_bytes(trial, 1, study->job.threads_per_rank, *backend) +
                       (backend->on_host() ? archive::checkpoint_bytes(trial) : 0);
            }};
    std::optional<cluster::LeftToDo> left;
    if (given.contains("archive")) {
        const std::string archive = text(given, "archive");
        const auto found = archive::find_trials(archive, study->grid);
        if (!found) return refuse(found.error());
        if (!found->foreign.empty()) return refuse(found->foreign);
        left = cluster::left_to_do(*found, *study, archive, cluster::run_folder_of(archive), ranks, {});
    }
    cluster::Plan plan =
        left ? cluster::make_plan(*study, costs, ranks, *left) : cluster::make_plan(*study, costs, ranks);
    plan.card_bytes = card_bytes;
    plan.seats = cluster::seats_of_cards(study->job, card_bytes > 0);
    std::cout << (given.contains("json") ? cluster::plan_json(*study, plan)
                                         : cluster::plan_text(*study, plan, terminal_columns()));
    return done;
}

/// `A:B` as two numbers; (-1, -1), which names no steps, when it is anything else.
std::pair<std::int64_t, std::int64_t> step_range(const std::string& text) {
    std::int64_t first = -1, end = -1;
    const char* const last = text.data() + text.size();
    const auto [colon, error] = std::from_chars(text.data(), last, first);
    if (error != std::errc{} || colon == last || *colon != ':') return {-1, -1};
    const auto [rest, end_error] = std::from_chars(colon + 1, last, end);
    if (end_error != std::errc{} || rest != last) return {-1, -1};
    return {first, end};
}

int batches(const options::variables_map& given) {
    const auto study = read_job(given);
    if (!study) return refuse(study.error());
    const auto index = archive::find_trial(as_records(study->grid), text(given, "trial"));
    if (!index) return refuse(index.error());
    const study::PlannedTrial& planned = study->grid.trials[*index];
    const study::Trial& trial = planned.trial;

    const std::string steps = text(given, "steps");
    const auto [first, end] = step_range(steps);
    if (first < 0 || end <= first || end > trial.steps)
        return refuse({{"isogrid batches", "--steps " + steps + " names no steps",
                        "A:B with 0 <= A < B <= " + std::to_string(trial.steps) + ", steps counted from 0",
                        "correct it"}});
    const std::int64_t batch = trial.stage_after(first).batch;
    for (std::int64_t step = first + 1; step < end; ++step)
        if (trial.stage_after(step).batch != batch)
            return refuse({{"isogrid batches", "--steps " + steps + " have batches of several sizes",
                            std::to_string(trial.stage_after(step).batch) + " sequences from step " +
                                std::to_string(step) + " on, " + std::to_string(batch) + " before",
                            "ask for each size by itself"}});

    const auto tokens = data::TokenFile::open(study->job.token_file);
    if (!tokens) return refuse(tokens.error());
    const auto training_tokens = static_cast<std::int64_t>(tokens->training().size());
    const data::Sampler sampler(trial.seed, trial.drawn_from(training_tokens), trial.shape.context);
    const std::string out = given.contains("to") ? text(given, "to")
                                                 : planned.name + "-steps-" + std::to_string(first) + "-" +
                                                       std::to_string(end) + ".npy";
    const std::vector<std::int64_t> shape = {end - first, batch, trial.shape.context + 1};
    const auto written = data::write_npy(out,
                                         data::batch_tokens(tokens->training(), sampler, trial.shape.context,
                                                            trial.sequences(first), trial.sequences(end)),
                                         shape);
    if (!written) return refuse(written.error());
    std::cout << out << ": (" << shape[0] << " steps, " << shape[1] << " sequences, " << shape[2]
              << " tokens)\n";
    return done;
}

/// The outcomes that --retry names.
study::Result<std::set<archive::Outcome>> outcomes_to_retry(const options::variables_map& given) {
    std::set<archive::Outcome> outcomes;
    if (!given.contains("retry")) return outcomes;
    for (const std::string& word : given["retry"].as<std::vector<std::string>>()) {
        const auto outcome = archive::parse_outcome(word);
        if (outcome != archive::Outcome::failed && outcome != archive::Outcome::out_of_memory)
            return study::fail(
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

/// Every rank comes here; the first one speaks for all.
int run(const options::variables_map& given) {
    const cluster::MpiSession session;
    auto study = read_job(given);
    // A file that only some ranks can read must not leave the others waiting for them.
    if (const int without = session.first_without(study.has_value()); without >= 0)
        return session.rank() == without ? refuse(study.error()) : bad_input;
    const auto best = cluster::instruction_set_of("run", text(given, "isa"));
    if (const int without = session.first_without(best.has_value()); without >= 0)
        return session.rank() == without ? refuse(best.error()) : bad_input;

    const auto retry = outcomes_to_retry(given);
    if (!retry) return session.rank() == 0 ? refuse(retry.error()) : bad_input;

    // Where nodes differ, the best that all of them run (each set includes those before it): a trial's bits
    // must not depend on which ranks it came to.
    const auto instruction_set =
        static_cast<cluster::InstructionSet>(session.lowest(static_cast<int>(*best)));
    const kernels::CudaCards seen =
        study->job.device == study::Device::cpu ? kernels::CudaCards{} : kernels::cuda_cards();
    const auto card = cluster::choose_card(study->job, session, seen);
    if (const int without = session.first_without(card.has_value()); without >= 0)
        return session.rank() == without ? refuse(card.error()) : bad_input;
    auto made =
        *card ? backend_of_card(study->job, **card)
              : study::Result<std::unique_ptr<kernels::Backend>>(kernels::cpu::make_backend(instruction_set));
    if (const int without = session.first_without(made.has_value()); without >= 0)
        return session.rank() == without ? refuse(made.error()) : bad_input;
    const std::unique_ptr<kernels::Backend> backend = std::move(*made);
    warn_of_precision(*study, *backend);
    warn_of_small_cards(*study, *card, seen, *backend, session);
    if (!may_link(*study, *card, *backend, session)) return bad_input;
    const std::int64_t card_bytes = *card ? seen.cards[static_cast<std::size_t>(**card)].bytes : 0;
    const cluster::CardPlan cards = study->job.device == study::Device::cpu
                                        ? cluster::CardPlan{}
                                        : cluster::plan_cards(*study, session, card_bytes, *backend);
    const auto train = [&](const study::Trial& trial, const data::TokenFile& tokens,
                           train::Communicator& group, const train::TrainOptions& how) {
        return train::train(trial, tokens, *backend, group, how);
    };
    return cluster::run_sweep(
        {.study = *study,
         .archive = text(given, "archive"),
         .train = train,
         .instruction_set = backend->instruction_set(),
         .seconds_per_step =
             [&](const study::Trial& trial) { return train::measure_seconds_per_step(trial, *backend); },
         .check =
             [&](const data::TokenFile& tokens) {
                 return train::check_coordinates(*study, tokens, *backend);
             },
         .libraries = {{"token_file", study->job.tokens}, {"mpi", cluster::mpi_library_version()}},
         .pin = !given.contains("no-pin"),
         .retry = *retry,
         .alone = given.contains("alone"),
         .cards = cards,
         .machine = [&] { return cluster::machine_on_card(card->value()); }},
        session);
}

/// Options that several of these verbs have.
void add_scale(Verb& verb) {
    verb.described.add_options()(
        "scale", options::value<double>(),
        "multiply all budgets and token counts by this, as study.scale in the job would (0.01: a first try)");
}
void add_isa(Verb& verb) {
    const std::string words = "instruction set to compute with: " + cluster::instruction_set_words() +
                              " (the best that all ranks have)";
    verb.described.add_options()("isa", options::value<std::string>()->default_value("auto"), words.c_str());
}

}  // namespace

Verb plan_verb() {
    Verb verb{
        .name = "plan",
        .arguments = "JOB.toml [--ranks N] [--archive OUT.h5] [--scale F] [--isa NAME] [--json]",
        .summary =
            "Prints the trials of a job, what they cost, and what the grid cannot answer. Trains nothing.",
        .positions = {"JOB"},
        .run = plan};
    verb.described.add_options()("ranks", options::value<int>()->default_value(1), "ranks that will train");
    verb.described.add_options()("archive", options::value<std::string>(),
                                 "plan what is left to do of it: finished trials cost nothing, and others go "
                                 "on from their checkpoints and from states that trunks have left");
    add_scale(verb);
    add_isa(verb);
    verb.described.add_options()("json", "as JSON");
    return verb;
}

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

Verb batches_verb() {
    using options::value;
    Verb verb{.name = "batches",
              .arguments = "JOB.toml --trial T --steps A:B [--scale F] [--to FILE.npy]",
              .summary = "Writes the exact tokens that steps A to B - 1 (from 0) of a trial train on.",
              .positions = {"JOB"},
              .run = batches};
    verb.described.add_options()("trial", value<std::string>()->required(), "number, name, or identity");
    add_scale(verb);
    auto option = verb.described.add_options();
    option("steps", value<std::string>()->required(), "A:B");
    option("to", value<std::string>(), "the file to write");
    return verb;
}

}  // namespace isogrid::verbs
