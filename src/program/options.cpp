#include "program/options.hpp"

#include <cstddef>

#include "base/wording.hpp"

namespace isogrid::program {

base::Result<options::variables_map> read_options(const std::vector<std::string>& words,
                                                  const options::options_description& known,
                                                  const std::vector<std::string>& positions, bool many,
                                                  const std::string& program, const std::string& usage) {
    options::options_description all;
    all.add(known);
    options::positional_options_description order;
    for (std::size_t i = 0; i < positions.size(); ++i) {
        const char* position = positions[i].c_str();
        const bool repeats = many && i + 1 == positions.size();
        if (repeats)
            all.add_options()(position, options::value<std::vector<std::string>>());
        else
            all.add_options()(position, options::value<std::string>());
        order.add(position, repeats ? -1 : 1);
    }
    const auto refused = [&](const options::error& error, const std::string& what_to_do) {
        return base::fail(program, error.what(), usage, what_to_do + "see " + program + " --help");
    };
    options::variables_map given;
    try {
        const auto style =
            options::command_line_style::default_style & ~options::command_line_style::allow_guessing;
        options::store(options::command_line_parser(words).options(all).positional(order).style(style).run(),
                       given);
        if (!given.contains("help")) options::notify(given);  // which misses options that are required
    } catch (const options::unknown_option& unknown) {
        std::vector<std::string> names;
        for (const auto& option : known.options())
            names.push_back("--" + option->long_name());
        const auto meant = base::nearest(unknown.get_option_name(), names);
        return refused(unknown, meant ? "write " + *meant + ", or " : "");
    } catch (const options::error& error) {
        return refused(error, "");
    }
    return given;
}

}  // namespace isogrid::program
