// A text cut into blocks of whole paragraphs, the units that go to training or to validation.
#pragma once

#include <functional>
#include <string_view>

#include "base/fault.hpp"
#include "files/descriptor.hpp"

namespace isogrid::data {

/// A block ends behind the first blank line after this many bytes,
inline constexpr std::size_t usual_block_bytes = 4096;
/// or, where no blank line comes before this many, behind the last line's end that fits, or the last whole
/// UTF-8 character that fits.
inline constexpr std::size_t largest_block_bytes = 65536;

/// Reads `text` to its end and hands its blocks to `use`, in order; together they are the text, byte for
/// byte. Stops at the first fault, of reading (told as one of `name`) or of `use`.
base::Result<void> for_each_block(const files::Descriptor& text, std::string_view name,
                                  const std::function<base::Result<void>(std::string_view)>& use);

}  // namespace isogrid::data
