// Which column of a CSV file says what: the roles that it was given, and where they stand.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/runs/csv.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// The number that a cell holds, spaces around it aside; nothing where it holds something else.
std::optional<double> number(std::string_view text);

/// Whether a cell has no value: it is empty, or says so (`NA`, `nan`, `null`, ..).
bool is_missing(std::string_view text);

/// Whether a cell says something that is no finite number: `nan` and `inf`, a number too large, a word.
bool is_no_number(std::string_view text);

/// The role of a source's proportion in mixed data: `share.SOURCE`.
std::string share_role(const std::string& source);

/// The sources whose shares were given columns, in alphabetical order.
std::vector<std::string> sources_of(const std::map<std::string, std::string>& columns);

/// Column by role; those of conditions stand under `where COLUMN`.
using Places = std::map<std::string, std::size_t>;

/// A fault for each column that the header lacks, or has twice: others than those asked for may stand twice.
base::Result<Places> find_columns(const CsvTable& table, const CsvRequest& request);

/// The rows that pass every --where: cells equal as numbers where both are numbers, as text otherwise.
std::vector<const CsvRow*> chosen_rows(const CsvTable& table, const CsvRequest& request,
                                       const Places& places);

/// What N, D, C and the loss are, by the columns that were given.
Conventions conventions_of(const std::map<std::string, std::string>& columns);

}  // namespace isogrid::analysis
