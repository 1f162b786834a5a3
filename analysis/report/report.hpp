// Three ways to write an answer: text, JSON and a page.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "analysis/answer/answer.hpp"

namespace isogrid::analysis {

enum class Detail {
    all,   ///< each law with its tables, parameters and notes, and then what they say together
    brief  ///< only what they say together
};

/// For a terminal of so many columns, of which sentences take 80 at most; wider tables stand in parts. With
/// 0, in a file or a pipe, they stay in one piece.
std::string to_text(const Answer& answer, int columns = 80, Detail detail = Detail::all);

/// By the contract `isogrid-fit/1` (docs/laws/README.md, "The JSON").
nlohmann::json to_json(const Answer& answer);

/// One picture ready for the page.
struct Picture {
    std::string law;  ///< in whose section it stands; empty for those of the answer as a whole
    Figure figure;
    std::string svg;  ///< empty when it could not be drawn
};

/// One page without links, scripts or outside files.
std::string to_html(const Answer& answer, const std::vector<Picture>& pictures);

}  // namespace isogrid::analysis
