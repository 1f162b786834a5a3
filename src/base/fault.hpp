// What is wrong with something a person gave us, in the one form every message of isogrid has.
#pragma once

#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace isogrid::base {

/// One fault of an input. Printed as `where: problem (why) action`, for example
/// `jobs/x.toml:12: isoflop.budgets[2]: 1e+06 is less than one step (a step of w32-d2 costs 3.1e+07) raise
/// it`.
struct Fault {
    std::string where;    ///< file, file:line, or file:line: key; may be empty
    std::string problem;  ///< what is wrong
    std::string why;      ///< the rule or the number that makes it wrong
    std::string action;   ///< what to do about it
};

using Faults = std::vector<Fault>;

/// A value, or every fault found on the way to it.
template <class T>
using Result = tl::expected<T, Faults>;

/// `where: problem (why) action`; empty parts are left out.
std::string to_string(const Fault& fault);

/// One line a fault.
std::string to_string(const Faults& faults);

/// Shorthand for the unexpected side of a Result with a single fault.
tl::unexpected<Faults> fail(std::string where, std::string problem, std::string why, std::string action);

}  // namespace isogrid::base
