// What is tokenized: files or standard input, opened before any work is done and read from their start.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/fault.hpp"
#include "files/descriptor.hpp"

namespace isogrid::data {

/// A text, open for reading.
struct Text {
    std::string name;  ///< as the user gave it; `-` is standard input
    files::Descriptor descriptor;
    off_t start = 0;  ///< where it begins; negative where it can be read only once, such as a pipe
};

/// Opens every text; one fault for each that cannot be read.
base::Result<std::vector<Text>> open_texts(std::span<const std::string> names);

/// Back to where the text begins, if it can be read more than once.
void rewind(const Text& text);

/// Makes a text that can be read only once readable again: copies it beside `out`, into a file that is gone
/// from its folder at once and from the disk when it is closed.
base::Result<void> make_rereadable(Text& text, const std::filesystem::path& out);

}  // namespace isogrid::data
