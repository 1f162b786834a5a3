// The command line of isogrid: one function a verb. What the verbs do stands in the layers below.
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <boost/program_options.hpp>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>

#include "archive/archive.hpp"
#include "archive/checkpoint_file.hpp"
#include "archive/crate.hpp"
#include "archive/provenance.hpp"
#include "archive/verify.hpp"
#include "cluster/device.hpp"
#include "cluster/plan.hpp"
#include "cluster/processor.hpp"
#include "cluster/run.hpp"
#include "cluster/status.hpp"
#include "data/batches.hpp"
#include "data/npy.hpp"
#include "data/token_file.hpp"
#include "data/tokenize.hpp"
#include "kernels/backend.hpp"
#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/cuda/cards.hpp"
#include "model/export.hpp"
#include "model/llama.hpp"
#include "study/study.hpp"
#include "train/coordinate_check.hpp"
#include "train/trainer.hpp"

namespace isogrid {
namespace {

namespace options = boost::program_options;

enum ExitCode { done = 0, failed = 1, bad_input = 2 };

int refuse(const study::Faults& faults) {
    std::cerr << study::to_string(faults);
    return bad_input;
}

// ---- reading a command line
// ------------------------------------------------------------------------------------

/// A verb: `isogrid NAME ARGUMENTS`. Its positional arguments are options too, named in `positions`.
struct Verb {
    std::string name, arguments, summary;
    options::options_description described;
    std::vector<std::string> positions;  ///< in order; each must be given; the last may repeat if `many`
    bool many = false;
    std::function<int(const options::variables_map&)> run;
};

std::string usage(const Verb& verb) {
    return "isogrid " + verb.name + " " + verb.arguments;
}

int run_verb(const Verb& verb, const std::vector<std::string>& arguments) {
    options::options_description all;
    all.add(verb.described).add_options()("help,h", "this");
    options::positional_options_description order;
    for (std::size_t i = 0; i < verb.positions.size(); ++i) {
        const std::string& position = verb.positions[i];
        const bool repeats = verb.many && i + 1 == verb.positions.size();
        if (repeats)
            all.add_options()(position.c_str(), options::value<std::vector<std::string>>());
        else
            all.add_options()(position.c_str(), options::value<std::string>());
        order.add(position.c_str(), repeats ? -1 : 1);
    }
    options::variables_map given;
    try {
        // Exact names only: an abbreviation that works today may be ambiguous tomorrow, and scripts depend on
        // this.
        const auto style =
            options::command_line_style::default_style & ~options::command_line_style::allow_guessing;
        options::store(
            options::command_line_parser(arguments).options(all).positional(order).style(style).run(), given);
        if (given.contains("help")) {
            std::cout << "usage: " << usage(verb) << "\n\n" << verb.summary << "\n";
            if (!verb.described.options().empty()) std::cout << "\n" << verb.described;
            return done;
        }
        options::notify(given);
    } catch (const options::error& error) {
        return refuse({{"isogrid " + verb.name, error.what(), "usage: " + usage(verb), "see --help"}});
    }
    for (const std::string& position : verb.positions)
        if (!given.contains(position))
            return refuse(
                {{"isogrid " + verb.name, position + " is missing", "usage: " + usage(verb), "see --help"}});
    return verb.run(given);
}

std::string text(const options::variables_map& given, const char* name) {
    return given[name].as<std::string>();
}

// ---- what several verbs need
// ------------------------------------------------------------------------------------

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

/// The token file that an archive's trials were trained on: --tokens, or where the run found it.
study::Result<data::TokenFile> tokens_of(const archive::Archive& archive,
                                         const options::variables_map& given) {
    std::string path;
    for (const archive::Fact& fact : archive.build)
        if (fact.name == "token_file") path = fact.value;
    if (given.contains("tokens")) path = text(given, "tokens");
    study::Result<data::TokenFile> tokens = data::TokenFile::open(path);
    if (tokens && tokens->header().digest != archive.corpus.digest)
        return study::fail(path, "is not the text this archive was trained on",
                           "its digest begins " + tokens->header().digest.substr(0, 12) + ", the archive's " +
                               archive.corpus.digest.substr(0, 12),
                           "name the right file with --tokens");
    return tokens;
}

/// A fault when a program of another numerics version made the trial: this one has other bits for it.
study::Faults other_numerics(const study::PlannedTrial& planned) {
    if (planned.trial.numerics == study::numerics_version) return {};
    return {{planned.name, "cannot be trained again to the same bits",
             "it has numerics version " + std::to_string(planned.trial.numerics) + ", this program has " +
                 std::to_string(study::numerics_version),
             "use the code revision that the archive names"}};
}

/// What is not as it was when the trial was trained; the token file and the numerics version are, or it would
/// not be trained again, and the instruction set is told apart.
std::string differences(const archive::TrialProvenance& then) {
    const archive::TrialProvenance now = archive::provenance_here();
    std::string text;
    const auto compare = [&](const std::string& what, const std::string& before, const std::string& here) {
        if (before != here)
            text += (text.empty() ? "" : ", ") + what + " " + before + " then, " + here + " now";
    };
    compare("processor", then.processor, now.processor);
    compare("code revision", then.code_revision, now.code_revision);
    return text.empty() ? "on the same processor with the same code revision: a library, or a fault" : text;
}

/// Trains a trial of an archive again, up to `step` (-1: to its end).
archive::TrialResult retrain(const study::Trial& trial, const data::TokenFile& tokens, std::int64_t step,
                             cluster::InstructionSet instruction_set) {
    const std::unique_ptr<kernels::Backend> backend = kernels::cpu::make_backend(instruction_set);
    train::Alone alone;
    return train::train(trial, tokens, *backend, alone,
                        {.keep_weights = true, .stop_after_step = step, .on_progress = {}});
}

/// What --isa of `verb` pins; nothing where it leaves the choice open.
study::Result<std::optional<cluster::InstructionSet>> pinned_instruction_set(
    std::string_view verb, const options::variables_map& given) {
    if (text(given, "isa") == "auto") return std::optional<cluster::InstructionSet>();
    return cluster::instruction_set_of(verb, text(given, "isa")).map([](cluster::InstructionSet named) {
        return std::optional(named);
    });
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
// --------------------------------------------------------------------------------------------------

int tokenize(const options::variables_map& given) {
    const auto written = data::tokenize({.texts = given["TEXT"].as<std::vector<std::string>>(),
                                         .out = text(given, "out"),
                                         .tokenizer = text(given, "tokenizer"),
                                         .validation = given["validation"].as<double>()});
    if (!written) return refuse(written.error());
    std::cout << text(given, "out") << ": " << written->training_tokens << " training and "
              << written->validation_tokens << " validation tokens, vocabulary " << written->vocabulary
              << ", " << written->tokenizer << "\ndigest " << written->digest << "\n";
    return done;
}

int plan(const options::variables_map& given) {
    const int ranks = given["ranks"].as<int>();
    if (ranks < 1)
        return refuse({{"isogrid plan", "--ranks must be at least 1", std::to_string(ranks), "ask for one"}});
    const auto instruction_set = cluster::instruction_set_of("plan", text(given, "isa"));
    if (!instruction_set) return refuse(instruction_set.error());
    auto study = read_job(given);
    if (!study) return refuse(study.error());
    std::unique_ptr<kernels::Backend> backend = kernels::cpu::make_backend(*instruction_set);
    if (study->job.device != study::Device::cpu) {
        const kernels::CudaCards seen = kernels::cuda_cards();
        auto on_card = backend_of_card(study->job, 0);
        if (on_card) {
            backend = std::move(*on_card);
            const std::int64_t bytes = seen.cards.front().bytes;
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
    const cluster::Plan plan = cluster::make_plan(*study, costs, ranks);
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

int export_model(const options::variables_map& given) {
    const std::string path = text(given, "ARCHIVE");
    const auto archive = archive::read_archive(path, false);
    if (!archive) return refuse(archive.error());
    const auto index = archive::find_trial(archive->trials, text(given, "trial"));
    if (!index) return refuse(index.error());
    const archive::TrialRecord& record = archive->trials[*index];
    const study::Trial& trial = record.planned.trial;
    const std::int64_t step = given.contains("step") ? given["step"].as<std::int64_t>() : trial.steps;
    if (step < 0 || step > trial.steps)
        return refuse(
            {{"isogrid export", "--step " + std::to_string(step) + " is not a step of " + record.planned.name,
              "it has " + std::to_string(trial.steps), "choose one from 0 to that"}});

    // Weights that are not in the archive are made again: a trial is a pure function of its specification.
    std::vector<float> weights;
    double loss = record.result.validation_loss;
    const bool stored = step == trial.steps && record.stored_weights > 0;
    if (stored) {
        auto read = archive::read_weights_of(path, study::identity(trial));
        if (!read) return refuse(read.error());
        weights = std::move(*read);
    } else {
        if (const auto faults = other_numerics(record.planned); !faults.empty()) return refuse(faults);
        const auto tokens = tokens_of(*archive, given);
        if (!tokens) return refuse(tokens.error());
        const auto pinned = pinned_instruction_set("export", given);
        if (!pinned) return refuse(pinned.error());
        archive::TrialResult result =
            retrain(trial, *tokens, step,
                    cluster::retraining(record.provenance.instruction_set, *pinned).instruction_set);
        if (result.outcome != archive::Outcome::completed)
            return refuse({{record.planned.name, "has no weights at step " + std::to_string(step),
                            result.cause, "export an earlier --step"}});
        weights = std::move(result.weights);
        loss = result.validation_loss;
    }
    const auto exported = model::export_llama(trial.shape, trial.parametrization, weights, text(given, "to"));
    if (!exported) return refuse(exported.error());
    std::cout << text(given, "to") << ": " << record.planned.name << " at step " << step
              << ", validation loss " << loss << " nats a token\n";
    return done;
}

int crate(const options::variables_map& given) {
    const auto written = archive::write_crate(text(given, "ARCHIVE"), text(given, "to"),
                                              text(given, "license"), {.tag = archive::writer_tag()});
    if (!written) return refuse(written.error());
    std::cout << "wrote " << text(given, "to") << "/ro-crate-metadata.json\n";
    return done;
}

int verify(const options::variables_map& given) {
    const std::string path = text(given, "ARCHIVE");
    const auto pinned = pinned_instruction_set("verify", given);
    if (!pinned) return refuse(pinned.error());
    const archive::VerifyReport report = archive::verify_archive(path);
    const bool readable = !report.digest.empty();
    if (!readable && !given.contains("json")) return refuse(report.faults);
    nlohmann::ordered_json json = archive::to_json(report);
    std::string words = archive::to_text(report);
    bool good = report.good();

    if (good && given.contains("retrain")) {
        const auto archive = archive::read_archive(path, false);
        if (!archive) return refuse(archive.error());
        std::vector<std::size_t> chosen;
        if (text(given, "retrain") == "all") {
            for (std::size_t i = 0; i < archive->trials.size(); ++i)
                chosen.push_back(i);
        } else {
            const auto index = archive::find_trial(archive->trials, text(given, "retrain"));
            if (!index) return refuse(index.error());
            chosen.push_back(*index);
        }
        const auto tokens = tokens_of(*archive, given);
        if (!tokens) return refuse(tokens.error());
        for (const std::size_t index : chosen)
            if (const auto faults = other_numerics(archive->trials[index].planned); !faults.empty())
                return refuse(faults);
        json["retrained"] = nlohmann::ordered_json::array();
        for (const std::size_t index : chosen) {
            archive::TrialRecord again = archive->trials[index];
            const std::string expected = archive::digest(again);
            const cluster::Retraining how = cluster::retraining(again.provenance.instruction_set, *pinned);
            again.result = retrain(again.planned.trial, *tokens, -1, how.instruction_set);
            const bool same = archive::digest(again) == expected;
            good = good && same;
            json["retrained"].push_back({{"name", again.planned.name},
                                         {"same_bits", same},
                                         {"made_with", how.made_with},
                                         {"retrained_with", kernels::cpu::name(how.instruction_set)}});
            words += again.planned.name + ": " + how.words +
                     (same ? std::string(": the same bits\n")
                           : ": OTHER BITS (" + differences(again.provenance) + ") compare the provenance\n");
        }
    }
    std::cout << (given.contains("json") ? json.dump(2) + "\n" : words);
    return good ? done : readable ? failed : bad_input;
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
    const std::string token_file =
        std::filesystem::absolute(study->job.token_file).lexically_normal().string();
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
         .libraries = {{"token_file", token_file}, {"mpi", cluster::mpi_library_version()}},
         .pin = !given.contains("no-pin"),
         .retry = *retry,
         .alone = given.contains("alone")},
        session);
}

int status(const options::variables_map& given) {
    return cluster::show_status({.archive = text(given, "ARCHIVE"),
                                 .watch = given.contains("watch"),
                                 .json = given.contains("json")});
}

std::vector<Verb> verbs() {
    using options::value;
    std::vector<Verb> all;
    const auto add = [&](Verb verb) -> options::options_description_easy_init {
        all.push_back(std::move(verb));
        return all.back().described.add_options();
    };
    all.reserve(8);
    const std::string words = cluster::instruction_set_words();
    const std::string isa = "instruction set to compute with: " + words + " (the best that all ranks have)";
    const char* const scale =
        "multiply all budgets and token counts by this, as study.scale in the job would (0.01: a first try)";
    const std::string isa_again = "instruction set to train again with: " + words +
                                  " (what made the trial, where this processor runs it)";
    add({"tokenize",
         "TEXT... --out FILE.tok [--tokenizer T] [--validation F]",
         "Turns text files (- is standard input) into one token file with a held-out validation part.",
         {},
         {"TEXT"},
         true,
         tokenize})("out", value<std::string>()->required(), "the token file to write")(
        "tokenizer", value<std::string>()->default_value("bytes"),
        "bytes, sentencepiece:VOCABULARY to train one, or a .model file")(
        "validation", value<double>()->default_value(0.01), "fraction of the text to hold out");
    add({"plan",
         "JOB.toml [--ranks N] [--scale F] [--isa NAME] [--json]",
         "Prints the trials of a job, what they cost, and what the grid cannot answer. Trains nothing.",
         {},
         {"JOB"},
         false,
         plan})("ranks", value<int>()->default_value(1), "ranks that will train")(
        "scale", value<double>(), scale)("isa", value<std::string>()->default_value("auto"), isa.c_str())(
        "json", "as JSON");
    add({"run",
         "JOB.toml --archive OUT.h5 [--scale F] [--isa NAME] [--retry failed] [--no-pin] [--alone]",
         "Trains what is missing of a job and writes its archive: alone, or under mpirun or srun.",
         {},
         {"JOB"},
         false,
         run})("archive", value<std::string>()->required(), "the archive to write")(
        "scale", value<double>(), scale)("isa", value<std::string>()->default_value("auto"), isa.c_str())(
        "retry", value<std::vector<std::string>>()->composing(),
        "trials to try again although they were given up: failed, out_of_memory")(
        "no-pin", "leave it to the launcher on which cores ranks compute")(
        "alone", "one rank on purpose, inside a Slurm job of several tasks");
    add({"status",
         "OUT.h5 [--watch] [--json]",
         "Shows how far a run is, without touching it.",
         {},
         {"ARCHIVE"},
         false,
         status})("watch", "again every few seconds")("json", "as JSON");
    add({"verify",
         "OUT.h5 [--retrain TRIAL|all] [--isa NAME] [--tokens FILE.tok] [--json]",
         "Computes every digest of an archive again; with --retrain, trains again and compares the bits.",
         {},
         {"ARCHIVE"},
         false,
         verify})("retrain", value<std::string>(), "a trial (number, name, or identity), or all")(
        "isa", value<std::string>()->default_value("auto"), isa_again.c_str())(
        "tokens", value<std::string>(), "the token file, if it has moved")("json", "as JSON");
    add({"crate",
         "OUT.h5 --to DIR [--license URL]",
         "Makes a folder of an archive that describes itself (RO-Crate 1.1), to be published.",
         {},
         {"ARCHIVE"},
         false,
         crate})("to", value<std::string>()->required(), "folder to make")(
        "license", value<std::string>()->default_value(""), "of the data, as an address");
    add({"export",
         "OUT.h5 --trial T --to DIR [--step S] [--isa NAME] [--tokens FILE.tok]",
         "Writes a trial's model as config.json and model.safetensors, for Hugging Face's LlamaForCausalLM.",
         {},
         {"ARCHIVE"},
         false,
         export_model})("trial", value<std::string>()->required(), "number, name, or identity")(
        "to", value<std::string>()->required(), "folder to write")(
        "step", value<std::int64_t>(), "the model after this many steps (0: as it starts); default the last")(
        "isa", value<std::string>()->default_value("auto"), isa_again.c_str())(
        "tokens", value<std::string>(), "the token file, if it has moved");
    add({"batches",
         "JOB.toml --trial T --steps A:B [--scale F] [--to FILE.npy]",
         "Writes the exact tokens that steps A to B - 1 (from 0) of a trial train on.",
         {},
         {"JOB"},
         false,
         batches})("trial", value<std::string>()->required(), "number, name, or identity")(
        "scale", value<double>(), scale)("steps", value<std::string>()->required(), "A:B")(
        "to", value<std::string>(), "the file to write");
    return all;
}

std::string overview(const std::vector<Verb>& verbs) {
    std::string text = "usage: isogrid VERB ...\n\n";
    for (const Verb& verb : verbs)
        text += "  " + usage(verb) + "\n      " + verb.summary + "\n";
    return text + "\n`isogrid VERB --help` has the options. `isogrid-fit` turns archives into laws.\n";
}

int main_of(const std::vector<std::string>& arguments) {
    const std::vector<Verb> all = verbs();
    const std::string name = arguments.empty() ? "--help" : arguments.front();
    if (name == "--help" || name == "-h" || name == "help") {
        (arguments.empty() ? std::cerr : std::cout) << overview(all);
        return arguments.empty() ? bad_input : done;
    }
    if (name == "--version") {
        std::cout << "isogrid " << archive::code_revision() << "\n";
        return done;
    }
    for (const Verb& verb : all)
        if (verb.name == name) return run_verb(verb, {arguments.begin() + 1, arguments.end()});
    return refuse({{"isogrid", name + " is not a verb",
                    "tokenize, plan, run, status, verify, crate, export, batches", "see isogrid --help"}});
}

}  // namespace
}  // namespace isogrid

int main(int count, char** values) {
    try {
        return isogrid::main_of({values + 1, values + count});
    } catch (const std::exception& error) {
        std::cerr << "isogrid: " << error.what() << "\n";
        return isogrid::failed;
    }
}
