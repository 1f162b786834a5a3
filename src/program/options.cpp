#include "program/options.hpp"

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <typeinfo>

#include "base/wording.hpp"

namespace isogrid::program {

namespace {

bool is_whole(const std::string& option, const options::options_description& known) {
    const auto* description = known.find_nothrow(option.substr(option.find_first_not_of('-')), false);
    const auto* typed = description == nullptr
                            ? nullptr
                            : dynamic_cast<const options::typed_value_base*>(description->semantic().get());
    return typed != nullptr && typed->value_type() != typeid(double) &&
           typed->value_type() != typeid(std::vector<double>);
}

/// Of a value that is no number: all others are taken as they are. What it begins with may be one.
base::Fault wrong_value(const options::invalid_option_value& error, const options::options_description& known,
                        const std::string& program) {
    const std::string words = error.what(), option = error.get_option_name();
    const std::size_t begin = words.find("('") + 2, end = words.find("')", begin);
    const std::string value = begin < end && end != std::string::npos ? words.substr(begin, end - begin) : "";
    const bool whole = is_whole(option, known);
    std::size_t meant = 0;
    try {
        if (const double number = std::stod(value, &meant); whole && number != std::floor(number)) meant = 0;
    } catch (const std::logic_error&) {
        meant = 0;
    }
    const bool begins_so = meant > 0 && meant < value.size();
    return {program, option + " is \"" + value + "\"",
            whole ? "a whole number is expected, of a usual size" : "a number is expected, without a unit",
            (begins_so ? "write " + option + " " + value.substr(0, meant) + ", or " : std::string()) +
                "see " + program + " --help"};
}

}  // namespace

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
    } catch (const options::invalid_option_value& error) {
        return tl::unexpected(base::Faults{wrong_value(error, known, program)});
    } catch (const options::too_many_positional_options_error&) {
        const std::string many_words = positions.empty()
                                           ? "takes no words without an option"
                                           : "takes no more words than " + base::listed(positions);
        return base::fail(program, many_words, usage,
                          "leave out what is too much, or see " + program + " --help");
    } catch (const options::error& error) {
        return refused(error, "");
    }
    return given;
}

}  // namespace isogrid::program
