// From trial files and segments to the archive.
#pragma once

#include <cstddef>
#include <filesystem>

#include "archive/archive.hpp"
#include "base/fault.hpp"
#include "study/study.hpp"

namespace isogrid::archive {

struct Merged {
    bool in_place = false;  ///< the archive says what was merged
    base::Faults rejected;
    std::size_t missing = 0;  ///< trials fewer than asked for
};

/// Merges all that find_trials finds into the archive, in the grid's order. Writes nothing when the archive
/// says the same already, when there are fewer than `least` trials, or when the writer no longer holds the
/// lease. Trial files and segments stay. `libraries` are facts that the caller adds to build_facts(). Throws
/// what write_archive throws.
base::Result<Merged> merge(const std::filesystem::path& archive, const study::Study& study,
                           const Writer& writer, const Facts& libraries = {}, std::size_t least = 0);

}  // namespace isogrid::archive
