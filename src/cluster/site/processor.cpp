#include "cluster/site/processor.hpp"

#include <algorithm>

#include "base/names.hpp"
#include "base/wording.hpp"

namespace isogrid::cluster {

namespace {

using base::listed;
using kernels::cpu::instruction_sets;
using kernels::cpu::name;

std::vector<std::string> words_of(const RunsHere& runs_here) {
    std::vector<std::string> words;
    for (const InstructionSet instruction_set : instruction_sets)
        if (runs_here(instruction_set)) words.emplace_back(name(instruction_set));
    return words;
}

std::optional<InstructionSet> best_of(const RunsHere& runs_here) {
    const auto best = std::find_if(instruction_sets.rbegin(), instruction_sets.rend(), runs_here);
    return best != instruction_sets.rend() ? std::optional(*best) : std::nullopt;
}

std::string kind_of(const kernels::CudaCard& card) {
    return kernels::kind_of(card.capability, card.multiprocessors);
}

}  // namespace

std::string instruction_set_words() {
    return "auto, " + listed(words_of([](InstructionSet) { return true; }));
}

base::Result<InstructionSet> instruction_set_of(std::string_view verb, std::string_view word,
                                                const RunsHere& runs_here) {
    const std::string where = "isogrid " + std::string(verb), given = "--isa " + std::string(word);
    const auto best = best_of(runs_here);
    if (!best)
        return base::fail(where, "cannot train on this processor",
                          "it runs none of " + instruction_set_words(),
                          "use an x86-64 processor with AVX2 and FMA");
    if (word == "auto") return *best;
    const auto named = base::value_named(word, instruction_sets);
    if (!named)
        return base::fail(where, given + " names no instruction set", "known: " + instruction_set_words(),
                          "choose one of them");
    if (!runs_here(*named))
        return base::fail(where, given + " cannot be used here",
                          "this processor runs " + listed(words_of(runs_here)),
                          "choose one of these, or run where it does");
    return *named;
}

Retraining retraining(std::string_view provenance, std::optional<InstructionSet> pinned,
                      const kernels::CudaCards& seen, const RunsHere& runs_here) {
    const std::string made_with(provenance.substr(0, provenance.find(' ')));  // details may follow
    const auto recorded = base::value_named(made_with, instruction_sets);
    const bool can = recorded && runs_here(*recorded);
    const bool on_card = kernels::is_kind_of_card(made_with);
    Retraining how{.card = {},
                   .instruction_set = pinned ? *pinned
                                      : can  ? *recorded
                                             : best_of(runs_here).value_or(instruction_sets.front()),
                   .made_with = made_with,
                   .retrained_with = {},
                   .words = "made with " + (made_with.empty() ? "nobody knows what" : made_with)};
    how.retrained_with = name(how.instruction_set);
    if (!pinned && on_card && !seen.cards.empty()) {
        const auto like =
            std::find_if(seen.cards.begin(), seen.cards.end(),
                         [&](const kernels::CudaCard& card) { return kind_of(card) == made_with; });
        const auto chosen = like == seen.cards.end() ? seen.cards.begin() : like;
        how.card = static_cast<int>(chosen - seen.cards.begin());
        how.retrained_with = kind_of(*chosen);
        if (like == seen.cards.end()) how.words += " (of which this machine has no card)";
    } else if (!pinned && on_card) {
        how.words += " (and no card is seen here)";
    } else if (!pinned && !made_with.empty() && !can) {
        how.words +=
            recorded ? " (which this processor does not run)" : " (which this program does not know)";
    }
    how.words += ", retrained with " + how.retrained_with;
    return how;
}

std::vector<std::string> precision_warnings(const study::Study& study, const kernels::Backend& backend) {
    if (study.job.recipe.precision != study::Precision::bfloat16 ||
        backend.multiplies_natively(kernels::Element::bfloat16))
        return {};
    return {"precision bfloat16 runs, correct and slower (" + backend.instruction_set() +
            " has no products of bfloat16, so each number is converted first) use a processor with " +
            std::string(name(InstructionSet::avx512_bf16)) +
            " or later, or set recipe.precision = \"float32\""};
}

}  // namespace isogrid::cluster
