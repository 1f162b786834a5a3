// Sentences that fit the terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace isogrid::program {

/// Columns of a terminal that a text takes: its letters. Of what is no UTF-8 every byte is one.
std::size_t columns_of(std::string_view text);

/// Control characters, which names in a CSV or of files may hold, become blanks.
std::string plain(std::string_view text);

/// `words`, made plain and broken at blanks into lines of at most `width` columns where they allow it. The
/// first line begins with `head`, later ones with `indent` blanks. Ends with a newline.
std::string wrapped(std::string_view head, std::string_view words, std::size_t indent, int width);

}  // namespace isogrid::program
