#include "analysis/report/text_lines.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include "analysis/figures/numbers.hpp"
#include "program/paragraph.hpp"

namespace isogrid::analysis {

using program::columns_of;

namespace {

using Texts = std::vector<std::string>;

std::string blanks_before(const std::string& text, std::size_t columns) {
    const std::size_t taken = columns_of(text);
    return std::string(columns > taken ? columns - taken : 0, ' ');
}

/// Titles first, then rows.
std::vector<Texts> texts_of(const Table& table) {
    std::vector<Texts> lines(1);
    for (const Column& column : table.columns)
        lines.front().push_back(column.title);
    for (const auto& row : table.rows) {
        Texts& line = lines.emplace_back();
        for (std::size_t c = 0; c < row.size(); ++c)
            line.push_back(program::plain(format_cell(row[c], table.columns[c].quantity)));
    }
    return lines;
}

/// How many of the first columns tell all lines apart; one where that takes more than three.
std::size_t columns_of_a_name(const std::vector<Texts>& lines, std::size_t columns) {
    for (std::size_t count = 1; count <= 3 && count < columns; ++count) {
        std::set<Texts> names;
        for (const Texts& line : lines)
            names.emplace(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(count));
        if (names.size() == lines.size()) return count;
    }
    return 1;
}

/// The columns of each part, none wider than `most` unless a single one is.
std::vector<std::vector<std::size_t>> parts_of(const std::vector<std::size_t>& widths, std::size_t of_a_name,
                                               std::size_t most) {
    std::vector<std::size_t> name;
    std::size_t name_ends = 1;
    for (std::size_t c = 0; c < of_a_name; ++c)
        name.push_back(c), name_ends += 1 + widths[c];
    std::vector<std::vector<std::size_t>> parts{name};
    std::size_t end = name_ends;
    for (std::size_t c = of_a_name; c < widths.size(); ++c) {
        const std::size_t more = widths[c] + (c + 1 == widths.size() ? 2 : 1);
        if (end + more > most && parts.back().size() > of_a_name) {
            parts.push_back(name);
            end = name_ends;
        }
        parts.back().push_back(c);
        end += more;
    }
    return parts;
}

}  // namespace

std::string padded(const std::string& text, std::size_t columns) {
    return text + blanks_before(text, columns);
}

std::string table_lines(const Table& table, std::size_t most_columns) {
    const std::vector<Texts> lines = texts_of(table);
    std::vector<std::size_t> widths(table.columns.size(), 0);
    for (const Texts& line : lines)
        for (std::size_t c = 0; c < line.size(); ++c)
            widths[c] = std::max(widths[c], columns_of(line[c]));
    std::string text;
    for (const auto& part : parts_of(widths, columns_of_a_name(lines, widths.size()), most_columns)) {
        if (!text.empty()) text += "\n";
        for (const Texts& line : lines) {
            text += " ";
            for (const std::size_t c : part) {
                const bool last = c + 1 == widths.size();  // words, as a status is
                const std::string blanks = blanks_before(line[c], widths[c]);
                const bool words = last || table.columns[c].quantity == Quantity::text;
                text += (last ? "  " : " ") + (words ? line[c] + blanks : blanks + line[c]);
            }
            text.erase(text.find_last_not_of(' ') + 1);
            text += "\n";
        }
    }
    return text;
}

}  // namespace isogrid::analysis
