#include "cluster/run/end_all.hpp"

#include <string>

#include "program/ending.hpp"

namespace isogrid::cluster {

void end_all(const MpiSession& session, const std::exception& error) {
    program::say_at_once("rank " + std::to_string(session.rank()) + ": " + program::words_of(error) + "\n");
    session.abort(program::exit_other);
}

}  // namespace isogrid::cluster
