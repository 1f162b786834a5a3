#include "archive/verify.hpp"

#include <cstddef>
#include <iostream>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "archive/archive.hpp"
#include "archive/provenance.hpp"
#include "kernels/cuda/cards.hpp"
#include "study/json_text.hpp"
#include "verbs/retraining.hpp"
#include "verbs/verbs.hpp"

namespace isogrid::verbs {
namespace {

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

/// The places of the trials that --retrain names.
study::Result<std::vector<std::size_t>> chosen_trials(const archive::Archive& archive,
                                                      const std::string& which) {
    std::vector<std::size_t> all(archive.trials.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    if (which == "all") return all;
    return archive::find_trial(archive.trials, which).map([](std::size_t index) {
        return std::vector{index};
    });
}

/// Trains trials of a good archive again and adds what came of it to `json` and `words`. True when all have
/// the bits that the archive has.
study::Result<bool> compare_again(const std::string& path, const options::variables_map& given,
                                  std::optional<cluster::InstructionSet> pinned, nlohmann::ordered_json& json,
                                  std::string& words) {
    const auto archive = archive::read_archive(path, /*keep_weights=*/false);
    if (!archive) return tl::unexpected(archive.error());
    const auto chosen = chosen_trials(*archive, text(given, "retrain"));
    if (!chosen) return tl::unexpected(chosen.error());
    const auto tokens = tokens_of(*archive, path, given);
    if (!tokens) return tl::unexpected(tokens.error());
    for (const std::size_t index : *chosen)
        if (auto faults = other_numerics(archive->trials[index].planned); !faults.empty())
            return tl::unexpected(std::move(faults));
    json["retrained"] = nlohmann::ordered_json::array();
    const kernels::CudaCards seen = kernels::cuda_cards();
    bool all_same = true;
    for (const std::size_t index : *chosen) {
        archive::TrialRecord again = archive->trials[index];
        const std::string expected = archive::digest(again);
        const cluster::Retraining how = cluster::retraining(again.provenance.instruction_set, pinned, seen);
        again.result = retrain(again.planned.trial, *tokens, -1, how);
        const bool same = archive::digest(again) == expected;
        all_same = all_same && same;
        json["retrained"].push_back({{"name", again.planned.name},
                                     {"same_bits", same},
                                     {"made_with", how.made_with},
                                     {"retrained_with", how.retrained_with}});
        words += again.planned.name + ": " + how.words +
                 (same ? std::string(": the same bits\n")
                       : ": OTHER BITS (" + differences(again.provenance) + ") compare the provenance\n");
    }
    return all_same;
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
        const auto same = compare_again(path, given, *pinned, json, words);
        if (!same) return refuse(same.error());
        good = *same;
    }
    std::cout << (given.contains("json") ? study::json_text(json, 2) : words);
    return good ? exit_done : readable ? exit_other : exit_bad_input;
}

}  // namespace

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

}  // namespace isogrid::verbs
