#include "cluster/exit_codes.hpp"

#include <iostream>
#include <new>

namespace isogrid::cluster {

int refuse(const study::Faults& faults) {
    std::cerr << study::to_string(faults) << std::flush;
    return exit_bad_input;
}

std::string words_of(const std::exception& error) {
    if (dynamic_cast<const std::bad_alloc*>(&error) == nullptr) return error.what();
    return "memory was not enough (an allocation failed) ask for less at once, or take a machine with more";
}

}  // namespace isogrid::cluster
