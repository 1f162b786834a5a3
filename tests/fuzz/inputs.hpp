// Every kind of file that comes from elsewhere, as one function from bytes to nothing: it must return.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace isogrid::fuzz {

struct Input {
    std::string kind;                                    ///< `job`, `csv`, `trial_file`, ...
    std::function<void(const std::string& bytes)> read;  ///< reads bytes as a file of this kind
    std::function<std::vector<std::string>()> examples;  ///< good files to begin with
    bool hdf5 = false;                                   ///< its files keep checksums of themselves
};

/// All kinds. `scratch` is a folder for files that can only be read by name.
std::vector<Input> inputs(const std::filesystem::path& scratch);

}  // namespace isogrid::fuzz
