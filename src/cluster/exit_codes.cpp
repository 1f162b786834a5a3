#include "cluster/exit_codes.hpp"

#include <iostream>

namespace isogrid::cluster {

int refuse(const study::Faults& faults) {
    std::cerr << study::to_string(faults) << std::flush;
    return exit_bad_input;
}

}  // namespace isogrid::cluster
