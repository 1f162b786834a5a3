// A table that fits the terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace isogrid::program {

class Table {
  public:
    enum class Align { left, right };
    struct Column {
        std::string title;
        Align align = Align::right;
        int expendable = 0;  ///< the highest is left out first when the table is too wide; 0 never
    };

    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    /// Adds a row: one text for each column.
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

    /// Title line and rows, two blanks between columns, in at most `width` characters if dropping expendable
    /// columns can do it.
    std::string text(int width) const;

    /// Titles of the columns that text(width) drops.
    std::vector<std::string> left_out(int width) const;

  private:
    std::vector<std::size_t> widths() const;
    std::vector<std::size_t> shown(int width) const;  ///< places of columns

    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace isogrid::program
