#include "verbs/retraining.hpp"

#include <algorithm>
#include <memory>

#include "base/names.hpp"
#include "kernels/backend.hpp"
#include "train/trainer.hpp"

namespace isogrid::verbs {
namespace {

/// The token file at `path`, or a fault when it is not the one that the archive's trials were trained on.
base::Result<data::TokenFile> open_tokens(const std::filesystem::path& path,
                                          const archive::Archive& archive) {
    base::Result<data::TokenFile> tokens = data::TokenFile::open(path);
    if (tokens && tokens->header().digest != archive.corpus.digest)
        return base::fail(path.string(), "is not the text this archive was trained on",
                          "its digest begins " + tokens->header().digest.substr(0, 12) + ", the archive's " +
                              archive.corpus.digest.substr(0, 12),
                          "name the right file with --tokens");
    return tokens;
}

base::Result<data::TokenFile> tokens_at(const archive::Archive& archive, const std::filesystem::path& place,
                                        const options::variables_map& given) {
    if (given.contains("tokens")) return open_tokens(text(given, "tokens"), archive);
    const std::filesystem::path named = archive::value_of(archive.build, "token_file");
    base::Result<data::TokenFile> beside =
        open_tokens((place.parent_path() / named).lexically_normal(), archive);
    if (beside || named.is_absolute()) return beside;
    base::Result<data::TokenFile> here = open_tokens(named, archive);
    if (here) return here;
    return base::fail(named.string(), "is not there, or is another text",
                      "the job names its tokens so; looked for from the archive's folder and from here was "
                      "the file whose digest begins " +
                          archive.corpus.digest.substr(0, 12),
                      "name that file with --tokens");
}

std::string kind_of(const kernels::CudaCard& card) {
    return kernels::kind_of(card.capability, card.multiprocessors);
}

}  // namespace

void add_training(Verb& verb) {
    const std::string words = "instruction set to train again with: " + cluster::instruction_set_words() +
                              " (what made the trial, where this processor runs it, or a card like its card)";
    auto option = verb.described.add_options();
    option("isa", options::value<std::string>()->default_value("auto"), words.c_str());
    option("tokens", options::value<std::string>(),
           "the token file, where it is not as the job names it from the archive's folder or from here");
}

base::Result<std::optional<cluster::InstructionSet>> pinned_instruction_set(
    std::string_view verb, const options::variables_map& given) {
    if (text(given, "isa") == "auto") return std::optional<cluster::InstructionSet>();
    return cluster::instruction_set_of(verb, text(given, "isa")).map([](cluster::InstructionSet named) {
        return std::optional(named);
    });
}

base::Result<data::TokenFile> tokens_of(const archive::Archive& archive, const std::filesystem::path& place,
                                        const options::variables_map& given) {
    base::Result<data::TokenFile> tokens = tokens_at(archive, place, given);
    if (tokens)
        if (auto sound = tokens->verify(); !sound) return tl::unexpected(std::move(sound.error()));
    return tokens;
}

base::Faults other_numerics(const study::PlannedTrial& planned) {
    if (planned.trial.numerics == study::numerics_version) return {};
    return {{planned.name, "cannot be trained again to the same bits",
             "it has numerics version " + std::to_string(planned.trial.numerics) + ", this program has " +
                 std::to_string(study::numerics_version),
             "use the code revision that the archive names"}};
}

Retraining retraining(std::string_view provenance, std::optional<cluster::InstructionSet> pinned,
                      const kernels::CudaCards& seen, const cluster::RunsHere& runs_here) {
    const std::string word(provenance.substr(0, provenance.find(' ')));  // details may follow
    const auto recorded = base::value_named(word, kernels::cpu::instruction_sets);
    const bool can = recorded && runs_here(*recorded);
    const bool on_card = kernels::is_kind_of_card(word);
    const std::string made_with = on_card ? std::string(provenance) : word;
    Retraining how{.card = {},
                   .instruction_set = pinned ? *pinned
                                      : can  ? *recorded
                                             : cluster::best_instruction_set(runs_here).value_or(
                                                   kernels::cpu::instruction_sets.front()),
                   .made_with = made_with,
                   .retrained_with = {},
                   .words = "made with " + (word.empty() ? "nobody knows what" : made_with)};
    how.retrained_with = kernels::cpu::name(how.instruction_set);
    if (!pinned && on_card && !seen.cards.empty()) {
        const auto like = std::find_if(seen.cards.begin(), seen.cards.end(),
                                       [&](const kernels::CudaCard& card) { return kind_of(card) == word; });
        const auto chosen = like == seen.cards.end() ? seen.cards.begin() : like;
        how.card = static_cast<int>(chosen - seen.cards.begin());
        how.retrained_with = kind_of(*chosen);
        if (like == seen.cards.end()) how.words += " (of which this machine has no card)";
    } else if (!pinned && on_card) {
        how.words += " (and no card is seen here)";
    } else if (!pinned && !word.empty() && !can) {
        how.words +=
            recorded ? " (which this processor does not run)" : " (which this program does not know)";
    }
    how.words += ", retrained with " + how.retrained_with;
    return how;
}

archive::TrialResult retrain(const study::Trial& trial, const data::TokenFile& tokens, std::int64_t step,
                             Retraining& how) {
    const std::unique_ptr<kernels::Backend> backend =
        how.card ? kernels::make_cuda_backend(*how.card) : kernels::cpu::make_backend(how.instruction_set);
    how.retrained_with = backend->instruction_set();
    train::Alone alone;
    return train::train(trial, tokens, *backend, alone,
                        {.keep_weights = true, .stop_after_step = step, .on_progress = {}});
}

}  // namespace isogrid::verbs
