// What is tokenized: files or standard input, tried before any work is done and read from their start.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/fault.hpp"
#include "files/descriptor.hpp"

namespace isogrid::data {

/// A text that can be read. Files are not kept open, as there may be more of them than a process may open.
struct Text {
    std::string name;                              ///< as the user gave it; `-` is standard input
    files::Descriptor kept = files::Descriptor();  ///< of what has no name to be opened by again
    off_t start = 0;                               ///< where `kept` begins
    bool once = false;                             ///< it can be read only once, such as a pipe
};

/// Tries to open every text; one fault for each that cannot be read, or is the same file as one before it, by
/// whatever name, and where they are to be `letters` for each that is packed.
base::Result<std::vector<Text>> find_texts(std::span<const std::string> names, bool letters);

/// The text, at its beginning.
base::Result<files::Descriptor> opened(const Text& text);

/// Makes a text that can be read only once readable again: copies it beside `out`, into a file that is gone
/// from its folder at once and from the disk when it is closed.
base::Result<void> make_rereadable(Text& text, const std::filesystem::path& out);

}  // namespace isogrid::data
