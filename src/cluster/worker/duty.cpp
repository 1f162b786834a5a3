#include "cluster/worker/duty.hpp"

#include <algorithm>
#include <stdexcept>

namespace isogrid::cluster {

std::optional<Assign> Duty::take(const Message& note) {
    if (std::holds_alternative<Stop>(note)) {
        sent_home_ = true;
    } else if (const auto* abandon = std::get_if<Abandon>(&note)) {
        abandoned_ = std::max(abandoned_, abandon->attempt);
    } else if (const auto* pause = std::get_if<Pause>(&note)) {
        pauses_ = std::max(pauses_, pause->attempt);
    } else if (const auto* assign = std::get_if<Assign>(&note)) {
        if (assign->attempt <= attempt_) return std::nullopt;
        if (busy_) throw std::logic_error("a busy worker was given a trial");
        attempt_ = assign->attempt;
        if (attempt_ <= abandoned_) return std::nullopt;
        busy_ = true;
        return *assign;
    } else {
        throw std::runtime_error(
            "a worker got a note that only workers send (the ranks disagree about who coordinates) start "
            "every rank from the same build of isogrid");
    }
    return std::nullopt;
}

Ready Duty::leave() {
    busy_ = false;
    return {.attempt = attempt_};
}

}  // namespace isogrid::cluster
