#include "verbs/verb.hpp"

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <thread>

namespace isogrid::verbs {

namespace {

/// Ranks that one launcher has started read the same arguments: the first speaks for all, as none of them has
/// begun with MPI yet when they are wrong.
bool speaks_for_all() {
    for (const char* rank : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"})
        if (const char* number = std::getenv(rank)) return std::string_view(number) == "0";
    return true;
}

/// A launcher ends all ranks when the first of them fails, so the others leave time to the one that speaks.
int refuse_words(const base::Faults& faults) {
    if (speaks_for_all()) return refuse(faults);
    std::this_thread::sleep_for(std::chrono::seconds(5));
    return exit_bad_input;
}

}  // namespace

std::string usage(const Verb& verb) {
    return "isogrid " + verb.name + " " + verb.arguments;
}

int carry_out(const Verb& verb, const std::vector<std::string>& arguments) {
    options::options_description all;
    all.add(verb.described).add_options()("help,h", "this");
    const std::string name = "isogrid " + verb.name, usage_of_verb = "usage: " + usage(verb);
    const auto given = program::read_options(arguments, all, verb.positions, verb.many, name, usage_of_verb);
    if (!given) return refuse_words(given.error());
    if (given->contains("help")) {
        std::cout << usage_of_verb << "\n\n" << verb.summary << "\n";
        if (!verb.described.options().empty()) std::cout << "\n" << verb.described;
        return exit_done;
    }
    for (const std::string& position : verb.positions)
        if (!given->contains(position))
            return refuse_words({{name, position + " is missing", usage_of_verb, "see " + name + " --help"}});
    return verb.run(*given);
}

std::string text(const options::variables_map& given, const char* name) {
    return given[name].as<std::string>();
}

}  // namespace isogrid::verbs
