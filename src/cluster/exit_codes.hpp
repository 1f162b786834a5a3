// How isogrid ends: scripts and the batch script go by these codes.
#pragma once

#include <exception>
#include <string>

#include "study/fault.hpp"

namespace isogrid::cluster {

inline constexpr int exit_done = 0;
inline constexpr int exit_other = 1;  ///< anything not said below
inline constexpr int exit_bad_input = 2;
inline constexpr int exit_interrupted = 75;  ///< work is left: start the same command again

/// Prints the faults of an input to standard error and returns exit_bad_input.
int refuse(const study::Faults& faults);

/// Writes text that ends with a line to standard error at once: a launcher that puts the words of many ranks
/// together, and its own between them, does not break it.
void say_at_once(const std::string& text);

/// The same of one of several ranks, behind `rank RANK on HOST: `.
void say_of_rank(int rank, const std::string& text);

/// What an exception that nothing can be done about says to people: `problem (why) what to do`.
std::string words_of(const std::exception& error);

}  // namespace isogrid::cluster
