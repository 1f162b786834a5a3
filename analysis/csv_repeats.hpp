// Rows that say the same as one before, of the same file or of another: they would count twice.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analysis/csv_columns.hpp"

namespace isogrid::analysis {

struct RowPlace {
    std::filesystem::path file;
    std::size_t line = 0;
};

/// Where a row stands, by what it says of its roles.
using SeenRows = std::map<std::vector<std::string>, RowPlace>;

/// Where a row stands that said the same of all roles before; without one, notes this one.
std::optional<RowPlace> said_before(const CsvRow& row, const Places& places,
                                    const std::filesystem::path& file, SeenRows& seen);

/// `line 2`, or `FILE:2` of another file.
std::string described(const RowPlace& place, const std::filesystem::path& file);

/// The fault of a row that is the same run as another.
study::Fault repeated(const CsvTable& table, const CsvRow& row, const RowPlace& first,
                      const CsvRequest& request);

}  // namespace isogrid::analysis
