#include "model/export.hpp"

#include <cstdint>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "files/unfinished_files.hpp"
#include "kernels/cuda/cards.hpp"
#include "verbs/exported_tokenizer.hpp"
#include "verbs/retraining.hpp"
#include "verbs/verbs.hpp"

namespace isogrid::verbs {
namespace {

int export_model(const options::variables_map& given) {
    const std::string path = text(given, "ARCHIVE");
    const auto archive = archive::read_archive(path);
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

    const auto tokenizer = tokenizer_of(*archive, path, given);
    if (!tokenizer) return refuse(tokenizer.error());

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
        Retraining how = retraining(record.provenance.instruction_set, *pinned, kernels::cuda_cards());
        archive::TrialResult result = retrain(trial, *tokens, step, how);
        if (result.outcome != archive::Outcome::completed)
            return refuse({{record.planned.name, "has no weights at step " + std::to_string(step),
                            result.cause, "export an earlier --step"}});
        if (step == trial.steps && archive::is_finished(record.result.outcome) &&
            result.weights_digest != record.result.weights_digest)
            std::cerr << "warning: " << record.planned.name << " has other weights than when it was trained ("
                      << how.words
                      << ") export it where it was trained, or keep weights (run.keep_weights)\n";
        weights = std::move(result.weights);
        loss = result.validation_loss;
    }
    files::remove_unfinished_files_when_ended();
    const auto exported = model::export_llama(trial.shape, trial.parametrization, weights, text(given, "to"));
    if (!exported) return refuse(exported.error());
    if (auto written = export_tokenizer(*tokenizer, text(given, "to"), trial.shape.context); !written)
        return refuse(written.error());
    std::cout << text(given, "to") << ": " << record.planned.name << " at step " << step
              << ", validation loss " << loss << " nats a token\n";
    return exit_done;
}

}  // namespace

Verb export_verb() {
    using options::value;
    Verb verb{.name = "export",
              .arguments =
                  "OUT.h5 --trial T --to DIR [--step S] [--isa NAME] [--tokens FILE.tok] "
                  "[--tokenizer FILE.model]",
              .summary =
                  "Writes a trial's model and its tokenizer for Hugging Face's AutoModelForCausalLM and "
                  "AutoTokenizer.",
              .positions = {"ARCHIVE"},
              .run = export_model};
    auto option = verb.described.add_options();
    option("trial", value<std::string>()->required(), "number, name, or identity");
    option("to", value<std::string>()->required(), "folder to write");
    option("step", value<std::int64_t>(),
           "the model after this many steps (0: as it starts); default the last");
    add_training(verb);
    verb.described.add_options()(
        "tokenizer", value<std::string>(),
        "the SentencePiece model of its tokens, where it does not lie beside the token file");
    return verb;
}

}  // namespace isogrid::verbs
