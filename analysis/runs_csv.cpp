// Runs from anybody's CSV file.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "analysis/csv.hpp"
#include "analysis/runs.hpp"
#include "study/digest.hpp"

namespace isogrid::analysis {
namespace {

constexpr std::array roles = {"parameters", "tokens", "loss", "flops", "batch", "run", "name"};

std::optional<double> number(std::string_view text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
        text.remove_prefix(1);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
        text.remove_suffix(1);
    if (text.starts_with('+')) text.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool is_missing(std::string_view text) {
    constexpr std::array<std::string_view, 8> words = {"", "NA", "N/A", "nan", "NaN", "NAN", "null", "None"};
    return std::find(words.begin(), words.end(), text) != words.end();
}

/// Equal as numbers when both are numbers, as text otherwise.
bool matches(const std::string& cell, const std::string& wanted) {
    const auto left = number(cell), right = number(wanted);
    return left && right ? *left == *right : cell == wanted;
}

/// Where each role's column stands, or a fault for each that the header lacks.
study::Result<std::map<std::string, std::size_t>> find_columns(const CsvTable& table,
                                                               const CsvRequest& request) {
    std::string known;
    for (const std::string& column : table.columns)
        known += (known.empty() ? "" : ", ") + column;
    study::Faults faults;
    std::map<std::string, std::size_t> places;
    const auto place = [&](const std::string& key, const std::string& column) {
        const auto found = std::find(table.columns.begin(), table.columns.end(), column);
        if (found == table.columns.end())
            faults.push_back({request.file.string() + ":1", "there is no column " + column,
                              "the header has " + known, "correct --columns or --where"});
        places[key] = static_cast<std::size_t>(found - table.columns.begin());
    };
    for (const auto& [role, column] : request.columns)
        place(role, column);
    for (const auto& [column, value] : request.where)
        place("where " + column, column);
    if (!faults.empty()) return tl::unexpected(faults);
    return places;
}

/// One row's numbers. A value that is missing or impossible rejects the run; text is a fault.
struct RowReader {
    const CsvRequest& request;
    const std::map<std::string, std::size_t>& places;
    study::Faults& faults;
    std::string reason;  ///< why the row is rejected; empty when it is not

    std::optional<double> positive(const CsvRow& row, const std::string& role) {
        const auto place = places.find(role);
        if (place == places.end()) return std::nullopt;
        const std::string& cell = row.cells[place->second];
        const std::string column = role + " (column " + request.columns.at(role) + ")";
        if (is_missing(cell)) {
            if (reason.empty()) reason = column + " is missing";
            return std::nullopt;
        }
        const std::optional<double> value = number(cell);
        if (!value) {
            faults.push_back({request.file.string() + ":" + std::to_string(row.line),
                              column + " is \"" + cell + "\"", "a number is needed", "correct the cell"});
            return std::nullopt;
        }
        if (!(*value > 0) || !std::isfinite(*value)) {
            if (reason.empty()) reason = column + " is " + cell + ", not a positive finite number";
            return std::nullopt;
        }
        return value;
    }
};

Conventions conventions_of(const std::map<std::string, std::string>& columns) {
    Conventions said;
    said.parameters = "N as given in column " + columns.at("parameters");
    said.loss = "as given in column " + columns.at("loss");
    said.tokens = columns.contains("tokens") ? "D as given in column " + columns.at("tokens")
                                             : "D = C / (6 N), derived: no tokens column was named";
    said.flops = columns.contains("flops") ? "C as given in column " + columns.at("flops")
                                           : "C = 6 N D, derived: no flops column was named";
    return said;
}

/// Joins the rows of one run into its training curve; the row with the most tokens is the run's end.
void join_curves(std::vector<Run>& runs) {
    std::vector<Run> joined;
    std::map<std::string, std::size_t> place;
    for (Run& row : runs) {
        const auto [at, fresh] = place.try_emplace(row.name, joined.size());
        const CurveSample sample{row.tokens, row.flops, row.loss};
        if (fresh) {
            joined.push_back(row);
        } else {
            Run& run = joined[at->second];
            std::vector<CurveSample> curve = std::move(run.curve);
            const std::string digest = study::sha256(run.digest + row.digest);
            if (row.tokens > run.tokens) run = row;
            run.curve = std::move(curve);
            run.digest = digest;
        }
        joined[at->second].curve.push_back(sample);
    }
    for (Run& run : joined)
        std::stable_sort(run.curve.begin(), run.curve.end(),
                         [](const auto& a, const auto& b) { return a.tokens < b.tokens; });
    runs = std::move(joined);
}

}  // namespace

study::Result<std::map<std::string, std::string>> parse_columns(const std::string& text) {
    std::map<std::string, std::string> columns;
    study::Faults faults;
    std::string known;
    for (const char* role : roles)
        known += (known.empty() ? "" : ", ") + std::string(role);
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string item = text.substr(begin, end - begin);
        begin = end + 1;
        const std::size_t equals = item.find('=');
        const std::string role = item.substr(0, equals);
        if (equals == std::string::npos || equals + 1 == item.size())
            faults.push_back({"--columns", "\"" + item + "\" names no column", "each item is ROLE=COLUMN",
                              "write for example parameters=n_params"});
        else if (std::find(roles.begin(), roles.end(), role) == roles.end())
            faults.push_back(
                {"--columns", "unknown role " + role, "the roles are " + known, "use one of them"});
        else if (!columns.try_emplace(role, item.substr(equals + 1)).second)
            faults.push_back({"--columns", role + " is given twice", "a role has one column", "drop one"});
    }
    for (const char* role : {"parameters", "loss"})
        if (!columns.contains(role) && faults.empty())
            faults.push_back({"--columns", std::string("no column for ") + role, "every law needs it",
                              std::string("add ") + role + "=COLUMN"});
    if (faults.empty() && !columns.contains("tokens") && !columns.contains("flops"))
        faults.push_back({"--columns", "no column for tokens nor for flops",
                          "either can be derived from the other, not both",
                          "add tokens=COLUMN or flops=COLUMN"});
    if (!faults.empty()) return tl::unexpected(faults);
    return columns;
}

study::Result<Runs> read_csv(const CsvRequest& request) {
    const auto text = read_text(request.file);
    if (!text) return tl::unexpected(text.error());
    const auto table = parse_csv(*text, request.file.string());
    if (!table) return tl::unexpected(table.error());
    const auto places = find_columns(*table, request);
    if (!places) return tl::unexpected(places.error());

    Runs runs;
    runs.source = request.file.string();
    runs.digest = study::sha256(*text);
    runs.conventions = conventions_of(request.columns);
    study::Faults faults;
    std::size_t kept = 0;
    for (const CsvRow& row : table->rows) {
        if (std::any_of(request.where.begin(), request.where.end(), [&](const auto& wanted) {
                return !matches(row.cells[places->at("where " + wanted.first)], wanted.second);
            }))
            continue;
        ++kept;
        Run run;
        run.name = "line " + std::to_string(row.line);
        for (const char* role : {"name", "run"})
            if (places->contains(role)) run.name = row.cells[places->at(role)];
        run.digest = study::sha256(row.text);
        RowReader reader{request, *places, faults, {}};
        run.parameters = reader.positive(row, "parameters").value_or(0);
        run.loss = reader.positive(row, "loss").value_or(0);
        const auto tokens = reader.positive(row, "tokens"), flops = reader.positive(row, "flops");
        run.batch = reader.positive(row, "batch");
        run.tokens = tokens.value_or(flops.value_or(0) / (6 * run.parameters));
        run.flops = flops.value_or(6 * run.parameters * run.tokens);
        run.budget = run.flops;
        if (reader.reason.empty())
            runs.used.push_back(std::move(run));
        else
            runs.rejected.push_back({run.name, run.digest, reader.reason});
    }
    if (!faults.empty()) return tl::unexpected(faults);
    if (kept == 0)
        return study::fail(
            runs.source, "no runs",
            request.where.empty() ? "the file has only a header" : "no row passes every --where",
            "check the file and the conditions");
    if (places->contains("run")) join_curves(runs.used);
    join_budgets(runs.used);
    drop_highest_loss(runs, request.drop_highest_loss);
    if (kept < table->rows.size())
        runs.notes.push_back(std::to_string(table->rows.size() - kept) + " of " +
                             std::to_string(table->rows.size()) + " rows were set aside by --where");
    return runs;
}

}  // namespace isogrid::analysis
