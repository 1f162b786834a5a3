#include "archive/verify.hpp"

#include <cstddef>
#include <exception>
#include <functional>
#include <iostream>
#include <new>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "archive/archive.hpp"
#include "archive/provenance.hpp"
#include "base/json_text.hpp"
#include "base/wording.hpp"
#include "cluster/site/as_begun.hpp"
#include "kernels/cuda/cards.hpp"
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
base::Result<std::vector<std::size_t>> chosen_trials(const archive::Archive& archive,
                                                     const std::string& which) {
    std::vector<std::size_t> all(archive.trials.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    if (which == "all") return all;
    return archive::find_trial(archive.trials, which).map([](std::size_t index) {
        return std::vector{index};
    });
}

/// What came of one trial that was to be trained again.
struct Comparison {
    bool good;
    std::string words;
    nlohmann::ordered_json json;
};

/// One of which there are no bits to compare: it has no result, or has none here.
Comparison not_compared(bool good, const std::string& trial, const std::string& why) {
    return {good, trial + ": " + why + "\n", {{"name", trial}, {"same_bits", nullptr}, {"why", why}}};
}

/// Digits enough to see how near two losses are.
std::string in_full(double loss) {
    return base::rounded(loss, 9);
}

/// What other bits come from and what to do, as `why) what to do`.
std::string why_other_bits(const archive::TrialRecord& then, const Retraining& how) {
    if (cluster::would_mix_bits({how.made_with}, how.retrained_with, then.planned.trial.precision))
        return "as is expected: " + how.retrained_with + " sums in another order than " + how.made_with +
               ") compare bits where there is " + how.made_with;
    return differences(then.provenance) + ") compare the provenance";
}

/// `asked_for`: by name, so that a trial which has no result is not what was meant.
Comparison compare(archive::TrialRecord record, bool asked_for, const data::TokenFile& tokens,
                   std::optional<cluster::InstructionSet> pinned, const kernels::CudaCards& seen) {
    const std::string& trial = record.planned.name;
    if (!archive::is_finished(record.result.outcome))
        return not_compared(
            !asked_for, trial,
            std::string(archive::name(record.result.outcome)) + ", there is nothing to compare");
    const std::string expected = archive::digest(record);
    const double recorded = record.result.validation_loss;
    Retraining how = retraining(record.provenance.instruction_set, pinned, seen);
    try {
        record.result = retrain(record.planned.trial, tokens, -1, how);
    } catch (const std::bad_alloc&) {
        return not_compared(false, trial,
                            "cannot be trained again (memory was not enough) take a machine with more of it");
    } catch (const std::exception& error) {
        return not_compared(false, trial, "cannot be trained again: " + std::string(error.what()));
    }
    const bool same = archive::digest(record) == expected;
    return {same,
            trial + ": " + how.words +
                (same ? std::string(": the same bits\n")
                      : ": other bits, validation loss " + in_full(recorded) + " recorded, " +
                            in_full(record.result.validation_loss) + " retrained (" +
                            why_other_bits(record, how) + "\n"),
            {{"name", trial},
             {"same_bits", same},
             {"made_with", how.made_with},
             {"retrained_with", how.retrained_with},
             {"recorded_validation_loss", recorded},
             {"retrained_validation_loss", record.result.validation_loss}}};
}

/// Trains trials of a good archive again and tells of each as it ends. True when all that have a result have
/// the bits that the archive has, and one that is asked for by name has a result.
base::Result<bool> compare_again(const std::string& path, const options::variables_map& given,
                                 std::optional<cluster::InstructionSet> pinned,
                                 const std::function<void(const Comparison&)>& tell) {
    const auto archive = archive::read_archive(path);
    if (!archive) return tl::unexpected(archive.error());
    const std::string which = text(given, "retrain");
    const auto chosen = chosen_trials(*archive, which);
    if (!chosen) return tl::unexpected(chosen.error());
    const auto tokens = tokens_of(*archive, path, given);
    if (!tokens) return tl::unexpected(tokens.error());
    for (const std::size_t index : *chosen) {
        const archive::TrialRecord& record = archive->trials[index];
        if (!archive::is_finished(record.result.outcome)) continue;
        if (auto faults = other_numerics(record.planned); !faults.empty())
            return tl::unexpected(std::move(faults));
    }
    const kernels::CudaCards seen = kernels::cuda_cards();
    bool all_good = true;
    for (const std::size_t index : *chosen) {
        const Comparison comparison = compare(archive->trials[index], which != "all", *tokens, pinned, seen);
        all_good = all_good && comparison.good;
        tell(comparison);
    }
    return all_good;
}

int verify(const options::variables_map& given) {
    const std::string path = text(given, "ARCHIVE");
    const auto pinned = pinned_instruction_set("verify", given);
    if (!pinned) return refuse(pinned.error());
    const archive::VerifyReport report = archive::verify_archive(path);
    const bool readable = !report.digest.empty(), as_json = given.contains("json");
    if (!readable && !as_json) return refuse(report.faults);
    nlohmann::ordered_json json = archive::to_json(report);
    if (!as_json) std::cout << archive::to_text(report) << std::flush;
    bool good = report.good();
    if (good && given.contains("retrain")) {
        json["retrained"] = nlohmann::ordered_json::array();
        const auto same = compare_again(path, given, *pinned, [&](const Comparison& comparison) {
            json["retrained"].push_back(comparison.json);
            if (!as_json) std::cout << comparison.words << std::flush;
        });
        if (!same) return refuse(same.error());
        good = *same;
    }
    if (as_json) std::cout << base::json_text(json, 2);
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
