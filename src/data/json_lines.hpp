// Documents in JSON Lines, the form in which most corpora are handed on: an object a line.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/fault.hpp"
#include "files/descriptor.hpp"

namespace isogrid::data {

/// A line may have so many bytes: its object takes up to forty times as much memory.
inline constexpr std::size_t longest_json_line = std::size_t{1} << 25;

/// Reads `file` to its end and hands each document, the text under `field` of a line's object, to `use`, in
/// order, with a blank line behind it. Empty lines and empty documents are passed over. Faults, of reading
/// and of lines that hold no such text, name `name` and the line; stops at the first, or at one of `use`.
base::Result<void> for_each_document(const files::Descriptor& file, const std::string& name,
                                     const std::string& field,
                                     const std::function<base::Result<void>(std::string_view)>& use);

}  // namespace isogrid::data
