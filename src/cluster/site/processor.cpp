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

}  // namespace

std::string instruction_set_words() {
    return "auto, " + listed(words_of([](InstructionSet) { return true; }));
}

std::optional<InstructionSet> best_instruction_set(const RunsHere& runs_here) {
    const auto best = std::find_if(instruction_sets.rbegin(), instruction_sets.rend(), runs_here);
    return best != instruction_sets.rend() ? std::optional(*best) : std::nullopt;
}

base::Result<InstructionSet> instruction_set_of(std::string_view verb, std::string_view word,
                                                const RunsHere& runs_here) {
    const std::string where = "isogrid " + std::string(verb), given = "--isa " + std::string(word);
    const auto best = best_instruction_set(runs_here);
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
