// The command line of isogrid: its verbs, each of which stands in verbs/.
#include <iostream>
#include <string>
#include <vector>

#include "archive/provenance.hpp"
#include "base/wording.hpp"
#include "program/ending.hpp"
#include "verbs/verbs.hpp"

namespace isogrid {
namespace {

using namespace verbs;

std::vector<Verb> all_verbs() {
    return {tokenize_verb(), plan_verb(),  run_verb(),    status_verb(),
            verify_verb(),   crate_verb(), export_verb(), batches_verb()};
}

std::string overview(const std::vector<Verb>& verbs) {
    std::string text = "usage: isogrid VERB ...\n\n";
    for (const Verb& verb : verbs)
        text += "  " + usage(verb) + "\n      " + verb.summary + "\n";
    return text + "\n`isogrid VERB --help` has the options. `isogrid-fit` turns archives into laws.\n";
}

int main_of(const std::vector<std::string>& arguments) {
    const std::vector<Verb> all = all_verbs();
    const bool asks_of_verb = arguments.size() > 1 && arguments.front() == "help";
    const std::string name = arguments.empty() ? "--help" : arguments[asks_of_verb ? 1 : 0];
    if (!asks_of_verb && (name == "--help" || name == "-h" || name == "help")) {
        (arguments.empty() ? std::cerr : std::cout) << overview(all);
        return arguments.empty() ? exit_bad_input : exit_done;
    }
    if (name == "--version") {
        std::cout << "isogrid " << archive::code_revision() << "\n";
        return exit_done;
    }
    for (const Verb& verb : all)
        if (verb.name == name)
            return asks_of_verb ? carry_out(verb, {"--help"})
                                : carry_out(verb, {arguments.begin() + 1, arguments.end()});
    std::vector<std::string> names;
    for (const Verb& verb : all)
        names.push_back(verb.name);
    const auto meant = base::nearest(name, names);
    return refuse({{"isogrid", name + " is not a verb", base::listed(names),
                    (meant ? "write " + *meant + ", or " : "") + "see isogrid --help"}});
}

}  // namespace
}  // namespace isogrid

int main(int count, char** values) {
    return isogrid::program::run("isogrid", [&] { return isogrid::main_of({values + 1, values + count}); });
}
