#include "program/ending.hpp"

#include <csignal>
#include <filesystem>
#include <iostream>
#include <new>

namespace isogrid::program {

int refuse(const base::Faults& faults) {
    say_at_once(base::to_string(faults));
    return exit_bad_input;
}

void say_at_once(const std::string& text) {
    std::cerr << text << std::flush;
}

std::string words_of(const std::exception& error) {
    if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr)
        return "memory was not enough (an allocation failed) ask for less at once, or take a machine with "
               "more";
    if (const auto* of_file = dynamic_cast<const std::filesystem::filesystem_error*>(&error))
        return of_file->path1().string() + ": cannot be used (" + of_file->code().message() +
               ") set the rights there, make room, or name another place";
    return error.what();
}

int run(const std::string& name, const std::function<int()>& work) {
    // A file that may grow no more is as a full disk: its write fails, and says so.
    std::signal(SIGXFSZ, SIG_IGN);
    std::string problem;
    try {
        const int code = work();
        if (std::cout.flush() || code != exit_done) return code;
        problem =
            "standard output could not be written to its end (is its disk full?) make room there, or "
            "write elsewhere";
    } catch (const std::exception& error) {
        problem = words_of(error);
    }
    say_at_once(name + ": " + problem + "\n");
    return exit_other;
}

}  // namespace isogrid::program
