#include "analysis/runs/csv.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace isogrid::analysis {
namespace {

/// What is wrong with a row's letters; nothing where all is well.
enum class Broken { no, open_quotation, lone_return };

/// Cuts one row off the front of `text`, moving `line` past it.
Broken take_row(std::string_view& text, std::size_t& line, CsvRow& row) {
    row.line = line;
    bool lone_return = false;
    bool quoted = false;
    std::string cell;
    std::size_t at = 0;
    for (; at < text.size(); ++at) {
        const char letter = text[at];
        if (letter == '\n') ++line;
        if (quoted) {
            if (letter != '"') {
                cell += letter;
            } else if (at + 1 < text.size() && text[at + 1] == '"') {
                cell += text[++at];
            } else {
                quoted = false;
            }
        } else if (letter == '"' && trimmed(cell).empty()) {
            quoted = true;  // further on it stands for itself (3" rack): it would swallow cells and rows
        } else if (letter == ',') {
            row.cells.push_back(std::exchange(cell, {}));
        } else if (letter == '\n') {
            break;
        } else if (letter != '\r') {
            cell += letter;
        } else if (at + 1 < text.size() && text[at + 1] != '\n') {
            lone_return = true;  // passed over, it would join 1 and 2 to 12
        }
    }
    row.cells.push_back(cell);
    row.text = text.substr(0, at);
    if (row.text.ends_with('\r')) row.text.pop_back();
    text.remove_prefix(std::min(at + 1, text.size()));
    return quoted ? Broken::open_quotation : lone_return ? Broken::lone_return : Broken::no;
}

/// Nothing stands in any of its cells, as in the rows that spreadsheets add.
bool is_blank(const CsvRow& row) {
    return std::all_of(row.cells.begin(), row.cells.end(),
                       [](const std::string& cell) { return trimmed(cell).empty(); });
}

/// `line 5`, `lines 5, 7 and 9`, `lines 5, 7, 9 and 240 more`.
std::string in_words(const std::vector<std::string>& lines) {
    constexpr std::size_t named = 3;
    std::string text = lines.size() == 1 ? "line " : "lines ";
    for (std::size_t i = 0; i < std::min(lines.size(), named); ++i)
        text += (i == 0 ? "" : i + 1 == lines.size() ? " and " : ", ") + lines[i];
    return lines.size() <= named ? text : text + " and " + std::to_string(lines.size() - named) + " more";
}

}  // namespace

std::string trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

base::Faults shortened(const base::Faults& faults, const std::string& file) {
    constexpr std::size_t listed = 20;
    std::map<std::array<std::string, 3>, std::size_t> known;  // by what is said: which of `different` says it
    base::Faults different;
    std::vector<std::vector<std::string>> again;  // further lines of each
    for (const base::Fault& fault : faults) {
        const auto [at, is_new] =
            known.try_emplace({fault.problem, fault.why, fault.action}, different.size());
        if (is_new)
            different.push_back(fault), again.emplace_back();
        else
            again[at->second].push_back(fault.where.substr(fault.where.rfind(':') + 1));
    }
    for (std::size_t i = 0; i < different.size(); ++i)
        if (!again[i].empty()) different[i].problem += ", and so on " + in_words(again[i]);
    if (different.size() > listed) {
        const std::size_t more = different.size() - listed;
        different.resize(listed);
        different.push_back({file, "and " + std::to_string(more) + " more", "the first are listed", ""});
    }
    return different;
}

base::Result<CsvTable> parse_csv(std::string_view text, const std::string& file) {
    if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
        return base::fail(file, "the text is UTF-16", "its byte-order mark says so", "save it as UTF-8");
    if (text.starts_with("\x89HDF\r\n"))
        return base::fail(file, "is no CSV", "it is an HDF5 file, as archives are",
                          "name an archive without --csv and --columns");
    if (text.find('\0') != std::string_view::npos)
        return base::fail(file, "is no text in UTF-8", "it holds zero bytes, as UTF-16 and other formats do",
                          "save it as UTF-8");
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    CsvTable table;
    base::Faults faults;
    std::size_t line = 1;
    while (!text.empty()) {
        CsvRow row;
        const Broken broken = take_row(text, line, row);
        const std::string where = file + ":" + std::to_string(row.line);
        if (broken == Broken::open_quotation) {
            faults.push_back({where, "a quotation mark never closes", "the file ends inside it", "close it"});
            break;
        }
        if (broken == Broken::lone_return) {
            faults.push_back({where, "a carriage return inside the row",
                              "lines end with a line feed, or with both", "save it with such line ends"});
            continue;
        }
        if (is_blank(row)) continue;
        if (table.columns.empty()) {
            for (const std::string& name : row.cells)
                table.columns.push_back(trimmed(name));
            for (const char other : {';', '\t'})
                if (row.cells.size() == 1 && row.cells[0].find(other) != std::string::npos)
                    return base::fail(
                        where, "the header is one column, \"" + row.cells[0] + "\"",
                        std::string("its names are separated by ") + (other == ';' ? "semicolons" : "tabs"),
                        "save it with commas between cells and points in numbers");
        } else if (row.cells.size() != table.columns.size()) {
            table.uneven.push_back(
                {where, std::to_string(row.cells.size()) + (row.cells.size() == 1 ? " cell" : " cells"),
                 "the header has " + std::to_string(table.columns.size()),
                 row.cells.size() < table.columns.size()
                     ? "complete the row"
                     : "quote cells that hold a comma, write decimals with a point"});
        } else {
            table.rows.push_back(std::move(row));
        }
    }
    if (table.columns.empty() && faults.empty())
        faults.push_back({file, "no header", "the file is empty", "name the columns in its first line"});
    if (!faults.empty()) return tl::unexpected(shortened(faults, file));
    return table;
}

}  // namespace isogrid::analysis
