// Columns of text in a terminal.
#pragma once

#include <cstddef>
#include <string>

#include "analysis/figures/figure.hpp"

namespace isogrid::analysis {

/// `text` and blanks behind it, to so many columns of the terminal.
std::string padded(const std::string& text, std::size_t columns);

/// A line of titles and one a row. A table of more than `most_columns` of the terminal stands in several
/// parts, one below the other, each with the columns in front that tell its rows apart.
std::string table_lines(const Table& table, std::size_t most_columns);

}  // namespace isogrid::analysis
