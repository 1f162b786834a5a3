#include "program/table.hpp"

#include <algorithm>
#include <numeric>

namespace isogrid::program {

std::vector<std::size_t> Table::widths() const {
    std::vector<std::size_t> widths;
    for (std::size_t column = 0; column < columns_.size(); ++column) {
        widths.push_back(columns_[column].title.size());
        for (const auto& row : rows_)
            widths.back() = std::max(widths.back(), row[column].size());
    }
    return widths;
}

std::vector<std::size_t> Table::shown(int width) const {
    const std::vector<std::size_t> widths = this->widths();
    std::vector<std::size_t> shown(columns_.size());
    std::iota(shown.begin(), shown.end(), std::size_t{0});
    const auto needed = [&] {
        std::size_t sum = shown.empty() ? 0 : 2 * (shown.size() - 1);
        for (const std::size_t column : shown)
            sum += widths[column];
        return sum;
    };
    while (needed() > static_cast<std::size_t>(std::max(0, width))) {
        const auto least = std::max_element(shown.begin(), shown.end(), [&](std::size_t a, std::size_t b) {
            return columns_[a].expendable < columns_[b].expendable;
        });
        if (least == shown.end() || columns_[*least].expendable == 0) break;
        shown.erase(least);
    }
    return shown;
}

std::vector<std::string> Table::left_out(int width) const {
    const std::vector<std::size_t> shown = this->shown(width);
    std::vector<std::string> titles;
    for (std::size_t column = 0; column < columns_.size(); ++column)
        if (std::find(shown.begin(), shown.end(), column) == shown.end())
            titles.push_back(columns_[column].title);
    return titles;
}

std::string Table::text(int width) const {
    const std::vector<std::size_t> widths = this->widths(), shown = this->shown(width);
    std::string text;
    const auto add_row = [&](const auto& cell) {
        std::string line;
        for (const std::size_t column : shown) {
            if (!line.empty()) line += "  ";
            const std::string padding(widths[column] - cell(column).size(), ' ');
            line += columns_[column].align == Align::left ? cell(column) + padding : padding + cell(column);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    };
    add_row([&](std::size_t column) { return columns_[column].title; });
    for (const auto& row : rows_)
        add_row([&](std::size_t column) { return row[column]; });
    return text;
}

}  // namespace isogrid::program
