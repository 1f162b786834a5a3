// Comma-separated text as a table of strings that still knows its line numbers.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/fault.hpp"

namespace isogrid::analysis {

struct CsvRow {
    std::size_t line = 0;            ///< where the row begins; the header is line 1
    std::string text;                ///< the row as it stands in the file, without its line end
    std::vector<std::string> cells;  ///< as many as there are columns
};

struct CsvTable {
    std::vector<std::string> columns;
    std::vector<CsvRow> rows;
    base::Faults uneven;  ///< rows with more or fewer cells than the header: they are not among `rows`
};

/// Reads RFC 4180 text whose first row names the columns, spaces around a name aside; several may have none,
/// as spreadsheets add such. Blank lines and rows of empty cells are passed over, a byte-order mark and the
/// carriage return of a line end too; the lines counted are those that an editor shows. A quotation mark
/// behind other letters of its cell is one of them. Faults (`file:line`): no header, a
/// quotation mark that never closes, a carriage return inside a row,
/// UTF-16, bytes that are no text.
base::Result<CsvTable> parse_csv(std::string_view text, const std::string& file);

/// Without the spaces and tabs at its ends.
std::string trimmed(std::string_view text);

/// One slip may stand in every row: what is wrong in the same way with several lines of `file` is one fault,
/// and of different ones the first twenty are listed.
base::Faults shortened(const base::Faults& faults, const std::string& file);

}  // namespace isogrid::analysis
