// How the programs end: scripts and the batch script go by these codes.
#pragma once

#include <exception>
#include <functional>
#include <string>

#include "base/fault.hpp"

namespace isogrid::program {

inline constexpr int exit_done = 0;
inline constexpr int exit_other = 1;  ///< anything not said below
inline constexpr int exit_bad_input = 2;
inline constexpr int exit_interrupted = 75;  ///< work is left: start the same command again

/// Prints the faults of an input to standard error and returns exit_bad_input.
int refuse(const base::Faults& faults);

/// Writes text that ends with a line to standard error at once: a launcher that puts the words of many ranks
/// together, and its own between them, does not break it.
void say_at_once(const std::string& text);

/// What an exception that nothing can be done about says to people: `problem (why) what to do`.
std::string words_of(const std::exception& error);

/// All of main: carries out `work` and returns its exit code. Where that throws, or standard output takes not
/// all of what was written, it says so behind the name of the program, and the code is exit_other. A file
/// that may not grow so far (ulimit -f) is one whose writes fail.
int run(const std::string& name, const std::function<int()>& work);

}  // namespace isogrid::program
