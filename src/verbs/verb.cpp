#include "verbs/verb.hpp"

#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "study/wording.hpp"

namespace isogrid::verbs {

namespace {

/// Ranks that one launcher has started read the same arguments: the first speaks for all, as none of them has
/// begun with MPI yet when they are wrong.
bool speaks_for_all() {
    for (const char* rank : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"})
        if (const char* number = std::getenv(rank)) return std::string_view(number) == "0";
    return true;
}

int refuse_words(const Verb& verb, const std::string& problem, const std::string& what_to_do) {
    if (!speaks_for_all()) return exit_bad_input;
    return refuse({{"isogrid " + verb.name, problem, "usage: " + usage(verb), what_to_do}});
}

}  // namespace

std::string usage(const Verb& verb) {
    return "isogrid " + verb.name + " " + verb.arguments;
}

int carry_out(const Verb& verb, const std::vector<std::string>& arguments) {
    options::options_description all;
    all.add(verb.described).add_options()("help,h", "this");
    options::positional_options_description order;
    for (std::size_t i = 0; i < verb.positions.size(); ++i) {
        const std::string& position = verb.positions[i];
        const bool repeats = verb.many && i + 1 == verb.positions.size();
        if (repeats)
            all.add_options()(position.c_str(), options::value<std::vector<std::string>>());
        else
            all.add_options()(position.c_str(), options::value<std::string>());
        order.add(position.c_str(), repeats ? -1 : 1);
    }
    options::variables_map given;
    try {
        // Exact names only: an abbreviation that works today may be ambiguous tomorrow, and scripts depend on
        // this.
        const auto style =
            options::command_line_style::default_style & ~options::command_line_style::allow_guessing;
        options::store(
            options::command_line_parser(arguments).options(all).positional(order).style(style).run(), given);
        if (given.contains("help")) {
            std::cout << "usage: " << usage(verb) << "\n\n" << verb.summary << "\n";
            if (!verb.described.options().empty()) std::cout << "\n" << verb.described;
            return exit_done;
        }
        options::notify(given);
    } catch (const options::unknown_option& unknown) {
        std::vector<std::string> names = {"--help"};
        for (const auto& option : verb.described.options())
            names.push_back("--" + option->long_name());
        const auto meant = study::nearest(unknown.get_option_name(), names);
        return refuse_words(verb, unknown.what(), (meant ? "write " + *meant + ", or " : "") + "see --help");
    } catch (const options::error& error) {
        return refuse_words(verb, error.what(), "see --help");
    }
    for (const std::string& position : verb.positions)
        if (!given.contains(position)) return refuse_words(verb, position + " is missing", "see --help");
    return verb.run(given);
}

std::string text(const options::variables_map& given, const char* name) {
    return given[name].as<std::string>();
}

}  // namespace isogrid::verbs
