// What a page is made of, and its style: whatever the words are, they stay words.
#pragma once

#include <string>
#include <string_view>

#include "analysis/figures/figure.hpp"
#include "analysis/fit/refusal.hpp"

namespace isogrid::analysis {

/// Text for between tags, or between the quotation marks of an attribute.
std::string escape(std::string_view text);

/// `kind`: a class of the style.
std::string paragraph(const std::string& text, const std::string& kind = {});

/// A refusal or a warning of a law.
std::string reason_box(const Reason& reason, const std::string& law, bool refused);

/// Twelve digits, and all of them where one points at it.
std::string digest_html(const std::string& digest);

std::string table_html(const Table& table);

/// Style inside, nothing to fetch. `title` is text, `body` is HTML.
std::string page(const std::string& title, const std::string& body);

}  // namespace isogrid::analysis
