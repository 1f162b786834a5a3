// How messages show numbers and guess at misspelt words.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace isogrid::base {

/// The shortest text that reads back as this very number: what a person wrote, `0.02` or `8e+10`.
std::string as_written(double value);

/// So many significant digits, for what was computed: `3.1e+07`, `0.417`, `42`, `1460`.
std::string rounded(double value, int digits = 3);

/// `a, b, c`.
std::string listed(std::span<const std::string> words);

/// The candidate that `word` most likely stands for: fewest letters to insert, delete or replace
/// (Levenshtein 1966), or none when more than a third of its letters would have to change.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace isogrid::base
