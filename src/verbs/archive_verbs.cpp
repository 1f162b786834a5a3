#include "verbs/archive_verbs.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "archive/archive.hpp"
#include "archive/crate.hpp"
#include "archive/provenance.hpp"
#include "archive/verify.hpp"
#include "cluster/site/processor.hpp"
#include "cluster/sweep/status.hpp"
#include "data/token_file.hpp"
#include "files/unfinished_files.hpp"
#include "kernels/backend.hpp"
#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/cuda/cards.hpp"
#include "model/export.hpp"
#include "train/trainer.hpp"

namespace isogrid::verbs {
namespace {

// ---- training again

/// The token file at `path`, or a fault when it is not the one that the archive's trials were trained on.
study::Result<data::TokenFile> open_tokens(const std::filesystem::path& path,
                                           const archive::Archive& archive) {
    study::Result<data::TokenFile> tokens = data::TokenFile::open(path);
    if (tokens && tokens->header().digest != archive.corpus.digest)
        return study::fail(path.string(), "is not the text this archive was trained on",
                           "its digest begins " + tokens->header().digest.substr(0, 12) + ", the archive's " +
                               archive.corpus.digest.substr(0, 12),
                           "name the right file with --tokens");
    return tokens;
}

/// The token file that the trials of the archive at `place` were trained on: --tokens, or as the job names
/// it. The job's folder is not in the archive: what is relative is looked for from the archive's folder,
/// which mostly lies beside the job's, and from the current one. The digest says whether it is the right
/// file.
study::Result<data::TokenFile> tokens_at(const archive::Archive& archive, const std::filesystem::path& place,
                                         const options::variables_map& given) {
    if (given.contains("tokens")) return open_tokens(text(given, "tokens"), archive);
    std::filesystem::path named;
    for (const archive::Fact& fact : archive.build)
        if (fact.name == "token_file") named = fact.value;
    study::Result<data::TokenFile> beside =
        open_tokens((place.parent_path() / named).lexically_normal(), archive);
    if (beside || named.is_absolute()) return beside;
    study::Result<data::TokenFile> here = open_tokens(named, archive);
    if (here) return here;
    return study::fail(named.string(), "is not found as the job of this archive names it",
                       "neither from the archive's folder nor from here is it the file of digest " +
                           archive.corpus.digest.substr(0, 12) + "...",
                       "name it with --tokens");
}

/// The same, its tokens being those of its digest.
study::Result<data::TokenFile> tokens_of(const archive::Archive& archive, const std::filesystem::path& place,
                                         const options::variables_map& given) {
    study::Result<data::TokenFile> tokens = tokens_at(archive, place, given);
    if (tokens)
        if (auto sound = tokens->verify(); !sound) return tl::unexpected(std::move(sound.error()));
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
                             const cluster::Retraining& how) {
    const std::unique_ptr<kernels::Backend> backend =
        how.card ? kernels::make_cuda_backend(*how.card) : kernels::cpu::make_backend(how.instruction_set);
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

// ---- the verbs

int status(const options::variables_map& given) {
    return cluster::show_status({.archive = text(given, "ARCHIVE"),
                                 .watch = given.contains("watch"),
                                 .json = given.contains("json")});
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
        const auto tokens = tokens_of(*archive, path, given);
        if (!tokens) return refuse(tokens.error());
        for (const std::size_t index : chosen)
            if (const auto faults = other_numerics(archive->trials[index].planned); !faults.empty())
                return refuse(faults);
        json["retrained"] = nlohmann::ordered_json::array();
        const kernels::CudaCards seen = kernels::cuda_cards();
        for (const std::size_t index : chosen) {
            archive::TrialRecord again = archive->trials[index];
            const std::string expected = archive::digest(again);
            const cluster::Retraining how =
                cluster::retraining(again.provenance.instruction_set, *pinned, seen);
            again.result = retrain(again.planned.trial, *tokens, -1, how);
            const bool same = archive::digest(again) == expected;
            good = good && same;
            json["retrained"].push_back({{"name", again.planned.name},
                                         {"same_bits", same},
                                         {"made_with", how.made_with},
                                         {"retrained_with", how.retrained_with}});
            words += again.planned.name + ": " + how.words +
                     (same ? std::string(": the same bits\n")
                           : ": OTHER BITS (" + differences(again.provenance) + ") compare the provenance\n");
        }
    }
    std::cout << (given.contains("json") ? json.dump(2) + "\n" : words);
    return good ? done : readable ? failed : bad_input;
}

int crate(const options::variables_map& given) {
    const auto written = archive::write_crate(text(given, "ARCHIVE"), text(given, "to"),
                                              text(given, "license"), {.tag = archive::writer_tag()});
    if (!written) return refuse(written.error());
    std::cout << "wrote " << text(given, "to") << "/ro-crate-metadata.json\n";
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
        const auto tokens = tokens_of(*archive, path, given);
        if (!tokens) return refuse(tokens.error());
        const auto pinned = pinned_instruction_set("export", given);
        if (!pinned) return refuse(pinned.error());
        archive::TrialResult result =
            retrain(trial, *tokens, step,
                    cluster::retraining(record.provenance.instruction_set, *pinned, kernels::cuda_cards()));
        if (result.outcome != archive::Outcome::completed)
            return refuse({{record.planned.name, "has no weights at step " + std::to_string(step),
                            result.cause, "export an earlier --step"}});
        weights = std::move(result.weights);
        loss = result.validation_loss;
    }
    files::remove_unfinished_files_when_ended();
    const auto exported = model::export_llama(trial.shape, trial.parametrization, weights, text(given, "to"));
    if (!exported) return refuse(exported.error());
    std::cout << text(given, "to") << ": " << record.planned.name << " at step " << step
              << ", validation loss " << loss << " nats a token\n";
    return done;
}

/// Options of the verbs that train again.
void add_training(Verb& verb) {
    const std::string words = "instruction set to train again with: " + cluster::instruction_set_words() +
                              " (what made the trial, where this processor runs it, or a card like its card)";
    auto option = verb.described.add_options();
    option("isa", options::value<std::string>()->default_value("auto"), words.c_str());
    option("tokens", options::value<std::string>(),
           "the token file, where it is not as the job names it from the archive's folder or from here");
}

}  // namespace

Verb status_verb() {
    Verb verb{.name = "status",
              .arguments = "OUT.h5 [--watch] [--json]",
              .summary = "Shows how far a run is, without touching it.",
              .positions = {"ARCHIVE"},
              .run = status};
    verb.described.add_options()("watch", "again every few seconds")("json", "as JSON");
    return verb;
}

Verb verify_verb() {
    Verb verb{
        .name = "verify",
        .arguments = "OUT.h5 [--retrain TRIAL|all] [--isa NAME] [--tokens FILE.tok] [--json]",
        .summary =
            "Computes every digest of an archive again; with --retrain, trains again and compares the bits.",
        .positions = {"ARCHIVE"},
        .run = verify};
    verb.described.add_options()("retrain", options::value<std::string>(),
                                 "a trial (number, name, or identity), or all");
    add_training(verb);
    verb.described.add_options()("json", "as JSON");
    return verb;
}

Verb crate_verb() {
    using options::value;
    Verb verb{
        .name = "crate",
        .arguments = "OUT.h5 --to DIR [--license URL]",
        .summary = "Makes a folder of an archive that describes itself (RO-Crate 1.1), to be published.",
        .positions = {"ARCHIVE"},
        .run = crate};
    auto option = verb.described.add_options();
    option("to", value<std::string>()->required(), "folder to make");
    option("license", value<std::string>()->default_value(""), "of the data, as an address");
    return verb;
}

Verb export_verb() {
    using options::value;
    Verb verb{.name = "export",
              .arguments = "OUT.h5 --trial T --to DIR [--step S] [--isa NAME] [--tokens FILE.tok]",
              .summary =
                  "Writes a trial's model as config.json and model.safetensors, for Hugging Face's "
                  "LlamaForCausalLM.",
              .positions = {"ARCHIVE"},
              .run = export_model};
    auto option = verb.described.add_options();
    option("trial", value<std::string>()->required(), "number, name, or identity");
    option("to", value<std::string>()->required(), "folder to write");
    option("step", value<std::int64_t>(),
           "the model after this many steps (0: as it starts); default the last");
    add_training(verb);
    return verb;
}

}  // namespace isogrid::verbs
