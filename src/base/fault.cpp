#include "base/fault.hpp"

#include <utility>

namespace isogrid::base {

std::string to_string(const Fault& fault) {
    std::string text;
    if (!fault.where.empty()) text += fault.where + ": ";
    text += fault.problem;
    if (!fault.why.empty()) text += " (" + fault.why + ")";
    if (!fault.action.empty()) text += " " + fault.action;
    return text;
}

std::string to_string(const Faults& faults) {
    std::string text;
    for (const Fault& fault : faults)
        text += to_string(fault) + "\n";
    return text;
}

tl::unexpected<Faults> fail(std::string where, std::string problem, std::string why, std::string action) {
    return tl::unexpected<Faults>(
        Faults{{std::move(where), std::move(problem), std::move(why), std::move(action)}});
}

}  // namespace isogrid::base
