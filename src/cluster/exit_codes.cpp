#include "cluster/exit_codes.hpp"

#include <iostream>
#include <new>

#include "archive/provenance.hpp"

namespace isogrid::cluster {

int refuse(const study::Faults& faults) {
    say_at_once(study::to_string(faults));
    return exit_bad_input;
}

void say_at_once(const std::string& text) {
    std::cerr << text << std::flush;
}

void say_of_rank(int rank, const std::string& text) {
    say_at_once("rank " + std::to_string(rank) + " on " + archive::host_name() + ": " + text);
}

std::string words_of(const std::exception& error) {
    if (dynamic_cast<const std::bad_alloc*>(&error) == nullptr) return error.what();
    return "memory was not enough (an allocation failed) ask for less at once, or take a machine with more";
}

}  // namespace isogrid::cluster
