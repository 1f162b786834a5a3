// What is wrong with a cell that is no number, and what to do.
#pragma once

#include <string>

namespace isogrid::analysis {

struct Advice {
    std::string why;
    std::string what_to_do;
};

/// Of a cell that `number` cannot read: commas, letters for thousands and millions, numbers too large.
Advice advice_on(std::string text);

}  // namespace isogrid::analysis
