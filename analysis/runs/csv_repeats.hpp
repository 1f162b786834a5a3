// Rows that say the same as one before, of the same file or of another: they would count twice.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/runs/csv_columns.hpp"

namespace isogrid::analysis {

struct RowPlace {
    std::filesystem::path file;
    std::size_t line = 0;
};

/// What was measured of a run, by the role: of its tasks, say.
using Measured = std::map<std::string, std::string>;

struct SeenRows {
    std::map<std::vector<std::string>, RowPlace> rows;  ///< by what they say of their roles
    /// By what they say of all roles but those that are measured once the run is over.
    std::map<std::vector<std::string>, std::pair<RowPlace, Measured>> runs;
};

/// Where a row stands that said the same of all roles before; without one, notes this one.
std::optional<RowPlace> said_before(const CsvRow& row, const Places& places,
                                    const std::filesystem::path& file, SeenRows& seen);

/// The fault of a row that differs from one before in `error` or `noise_scale` alone: one run, tried on two
/// tasks. Without one, notes this row.
std::optional<base::Fault> find_other_task(const CsvRow& row, const Places& places, const CsvRequest& request,
                                           SeenRows& seen);

/// `line 2`, or `FILE:2` of another file.
std::string described(const RowPlace& place, const std::filesystem::path& file);

/// The fault of a row that is the same run as another.
base::Fault repeated(const CsvTable& table, const CsvRow& row, const RowPlace& first,
                     const CsvRequest& request);

}  // namespace isogrid::analysis
