// Compound tables. A table passes through one row in memory: a list of named places, the same for writing and
// reading.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "archive/hdf5_handles.hpp"

namespace isogrid::archive {

/// One column's name, and where its value stands in memory.
struct Field {
    std::string_view name;
    std::variant<std::int64_t*, double*, std::string*> value;
    bool optional = false;  ///< older files have no such column: reading one leaves the value as it is
};
using Row = std::vector<Field>;

/// Equal values; NaN equals NaN.
bool same_value(const Field& left, const Field& right);

/// The value as a person would write it.
std::string text_of(const Field& field);

/// Writes the dataset `name` under `parent`: before each row, `load(row)` puts its values where `columns`
/// point (called twice a row, as texts get the width of the longest). Integers are stored as little-endian
/// int64, numbers as little-endian binary64 with one NaN, texts as UTF-8 with zeros behind. The table is
/// sealed: it carries its own digest (write_seal), which reading checks.
void write_table(hid_t parent, const std::string& name, const Row& columns, std::size_t rows,
                 const std::function<void(std::size_t row)>& load);

/// A table read in blocks of rows, as they are asked for. Its constructor throws Hdf5Error when it is absent,
/// damaged or lacks a column that is not optional. One that is sealed, as those of early versions are not, is
/// read whole there, and its digest compared.
class StoredTable {
  public:
    /// With `check_seal` false its digest is not looked at.
    StoredTable(hid_t parent, const std::string& name, Row columns, bool check_seal = true);

    std::size_t rows() const { return rows_; }
    bool sealed() const { return sealed_; }

    /// Copies row `row` to where the columns point.
    void load(std::size_t row) const;

  private:
    struct Place {
        std::size_t offset = 0, size = 0;  ///< of a column, in bytes of a row
    };

    void read_block(std::size_t first) const;

    std::string name_;
    Row columns_;
    Handle dataset_, type_;
    std::vector<Place> places_;  ///< of each column
    std::size_t rows_ = 0, row_size_ = 0, rows_a_block_ = 1;
    bool sealed_ = false;
    mutable std::vector<std::byte> block_;  ///< whole rows, as the file has them
    mutable std::size_t block_first_ = 0, block_rows_ = 0;
};

}  // namespace isogrid::archive
