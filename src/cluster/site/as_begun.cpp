#include "cluster/site/as_begun.hpp"

#include <algorithm>
#include <vector>

#include "archive/provenance.hpp"
#include "base/wording.hpp"

namespace isogrid::cluster {

using kernels::cpu::instruction_sets;
using kernels::cpu::name;

namespace {

std::set<std::string> bits_of_all(const std::set<std::string>& words, study::Precision precision) {
    std::set<std::string> bits;
    for (const std::string& word : words)
        bits.insert(archive::bits_of(word, precision));
    return bits;
}

}  // namespace

InstructionSet as_begun(InstructionSet best, const std::set<std::string>& begun, study::Precision precision) {
    const std::set<std::string> bits = bits_of_all(begun, precision);
    const auto found =
        std::find_if(instruction_sets.rbegin(), instruction_sets.rend(), [&](InstructionSet set) {
            return set <= best && bits.contains(archive::bits_of(std::string(name(set)), precision));
        });
    return found != instruction_sets.rend() ? *found : best;
}

bool would_mix_bits(const std::set<std::string>& begun, const std::string& word, study::Precision precision) {
    const std::set<std::string> bits = bits_of_all(begun, precision);
    return bits.size() == 1 && !bits.contains(archive::bits_of(word, precision));
}

std::string warning_of_mixed_bits(const std::set<std::string>& begun) {
    const std::vector<std::string> words(begun.begin(), begun.end());
    return "trials so far were trained with " + base::listed(words) +
           ", and those to come will not be (each stands for itself, but their numbers differ in the last "
           "digits) go on where that is to be had: name such nodes to the batch system, or with --isa";
}

std::string warning_of_lower_set(const std::string& chosen, InstructionSet best) {
    return "trains with " + chosen + ", although all processors run " + std::string(name(best)) +
           " (trials that are there were, and " + std::string(name(best)) +
           " would give other last digits) name it with --isa to have it nonetheless, or start a new archive";
}

}  // namespace isogrid::cluster
