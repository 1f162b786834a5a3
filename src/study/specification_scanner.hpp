// The quick way back from a canonical text: archives of 100,000 trials are read in a second.
#pragma once

#include <optional>
#include <string_view>

#include "study/trial.hpp"

namespace isogrid::study {

/// The trial of a canonical text that says the plain things in the plain order; nothing for any other text,
/// which parse_canonical_text reads or names what is wrong with it. Spellings of numbers are not compared.
std::optional<Trial> scan_canonical_text(std::string_view text);

}  // namespace isogrid::study
