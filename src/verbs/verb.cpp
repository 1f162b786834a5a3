#include "verbs/verb.hpp"

#include <cstddef>
#include <iostream>

#include "study/wording.hpp"

namespace isogrid::verbs {

int refuse(const study::Faults& faults) {
    std::cerr << study::to_string(faults);
    return bad_input;
}

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
            return done;
        }
        options::notify(given);
    } catch (const options::unknown_option& unknown) {
        std::vector<std::string> names = {"--help"};
        for (const auto& option : verb.described.options())
            names.push_back("--" + option->long_name());
        const auto meant = study::nearest(unknown.get_option_name(), names);
        return refuse({{"isogrid " + verb.name, unknown.what(), "usage: " + usage(verb),
                        (meant ? "write " + *meant + ", or " : "") + "see --help"}});
    } catch (const options::error& error) {
        return refuse({{"isogrid " + verb.name, error.what(), "usage: " + usage(verb), "see --help"}});
    }
    for (const std::string& position : verb.positions)
        if (!given.contains(position))
            return refuse(
                {{"isogrid " + verb.name, position + " is missing", "usage: " + usage(verb), "see --help"}});
    return verb.run(given);
}

std::string text(const options::variables_map& given, const char* name) {
    return given[name].as<std::string>();
}

}  // namespace isogrid::verbs
