// Words and tables in a terminal of 80 columns.
#pragma once

#include <string>

#include "analysis/figure.hpp"

namespace isogrid::analysis {

/// `text` and blanks behind it, to so many columns of the terminal.
std::string padded(const std::string& text, std::size_t columns);

/// Whether a line is no wider than the terminal.
bool fits_the_terminal(const std::string& line);

/// Breaks words into lines of the terminal's width; the first begins with `head`, the others with spaces.
/// Control characters among them, which are a CSV's or a file name's, become spaces.
std::string wrapped(const std::string& head, const std::string& words);

/// A line of titles and one a row. A table of more than `most_columns` of the terminal stands in several
/// parts, one below the other, each with the columns in front that tell its rows apart.
std::string table_lines(const Table& table, std::size_t most_columns);

}  // namespace isogrid::analysis
