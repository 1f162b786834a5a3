// A verb of the command line, `isogrid NAME ARGUMENTS`: its options, and what it does with them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "program/ending.hpp"
#include "program/options.hpp"

namespace isogrid::verbs {

namespace options = program::options;

using program::exit_bad_input, program::exit_done, program::exit_other, program::refuse;

/// Positional arguments are options too, named in `positions`.
struct Verb {
    std::string name, arguments, summary;
    std::vector<std::string> positions;  ///< in order; each must be given; the last may repeat if `many`
    bool many = false;
    std::function<int(const options::variables_map&)> run;
    options::options_description described = options::options_description();
};

std::string usage(const Verb& verb);

/// Reads the arguments that follow the verb's name, runs it, and returns its exit code. What is wrong with
/// them is said once for all ranks of an MPI launcher.
int carry_out(const Verb& verb, const std::vector<std::string>& arguments);

/// The value of an option that has a text.
std::string text(const options::variables_map& given, const char* name);

}  // namespace isogrid::verbs
