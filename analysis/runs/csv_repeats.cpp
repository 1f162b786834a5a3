#include "analysis/runs/csv_repeats.hpp"

#include "base/wording.hpp"

namespace isogrid::analysis {
namespace {

/// Measured of a run that is over, once for each task: they do not tell runs apart.
bool is_measured(const std::string& role) {
    return role == name(Role::error) || role == name(Role::noise_scale);
}

/// The columns of roles, separated by commas.
std::string listed_columns(const CsvRequest& request, bool with_measured) {
    std::string columns;
    for (const auto& [role, column] : request.columns)
        if (with_measured || !is_measured(role)) columns += (columns.empty() ? "" : ", ") + column;
    return columns;
}

}  // namespace

std::optional<RowPlace> said_before(const CsvRow& row, const Places& places,
                                    const std::filesystem::path& file, SeenRows& seen) {
    std::vector<std::string> said;
    for (const auto& [role, column] : places)
        said.push_back(trimmed(row.cells[column]));
    const auto [first, fresh] = seen.rows.try_emplace(std::move(said), file, row.line);
    return fresh ? std::nullopt : std::optional(first->second);
}

std::optional<base::Fault> find_other_task(const CsvRow& row, const Places& places, const CsvRequest& request,
                                           SeenRows& seen) {
    std::vector<std::string> said;
    Measured measured;
    for (const auto& [role, column] : places)
        if (is_measured(role))
            measured[role] = trimmed(row.cells[column]);
        else
            said.push_back(trimmed(row.cells[column]));
    if (measured.empty()) return std::nullopt;
    const auto [first, fresh] =
        seen.runs.try_emplace(std::move(said), RowPlace{request.file, row.line}, measured);
    if (fresh) return std::nullopt;
    const auto& [place, measured_there] = first->second;
    std::vector<std::string> differing;
    for (const auto& [role, text] : measured)
        if (text != measured_there.at(role)) differing.push_back(role);
    if (differing.empty()) return std::nullopt;
    return base::Fault{
        request.file.string() + ":" + std::to_string(row.line),
        "the same run as " + described(place, request.file) + " with another " + base::listed(differing),
        "equal in the columns " + listed_columns(request, false) + ": a run counts once, with one task",
        "keep the rows of one task with --where, name the column that tells runs apart (seed=, name=), or "
        "leave "
        "the later rows out with --skip-bad-rows"};
}

std::string described(const RowPlace& place, const std::filesystem::path& file) {
    return (place.file == file ? "line " : place.file.string() + ":") + std::to_string(place.line);
}

base::Fault repeated(const CsvTable& table, const CsvRow& row, const RowPlace& first,
                     const CsvRequest& request) {
    return {request.file.string() + ":" + std::to_string(row.line),
            "the same run as " + described(first, request.file),
            "equal in the columns " + listed_columns(request, true),
            table.columns.size() > request.columns.size()
                ? "remove it, name the column that tells them apart (seed=, name=), or leave "
                  "repeated rows out with --skip-bad-rows"
                : "remove it, or leave repeated rows out with --skip-bad-rows"};
}

}  // namespace isogrid::analysis
