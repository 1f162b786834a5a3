#include "analysis/csv_repeats.hpp"

#include <utility>

namespace isogrid::analysis {

std::optional<RowPlace> said_before(const CsvRow& row, const Places& places,
                                    const std::filesystem::path& file, SeenRows& seen) {
    std::vector<std::string> said;
    for (const auto& [role, column] : places)
        said.push_back(trimmed(row.cells[column]));
    const auto [first, fresh] = seen.try_emplace(std::move(said), file, row.line);
    return fresh ? std::nullopt : std::optional(first->second);
}

std::string described(const RowPlace& place, const std::filesystem::path& file) {
    return (place.file == file ? "line " : place.file.string() + ":") + std::to_string(place.line);
}

study::Fault repeated(const CsvTable& table, const CsvRow& row, const RowPlace& first,
                      const CsvRequest& request) {
    std::string columns;
    for (const auto& [role, column] : request.columns)
        columns += (columns.empty() ? "" : ", ") + column;
    return {request.file.string() + ":" + std::to_string(row.line),
            "the same run as " + described(first, request.file), "equal in the columns " + columns,
            table.columns.size() > request.columns.size()
                ? "remove it, name the column that tells them apart (seed=, name=), or leave "
                  "repeated rows out with --skip-bad-rows"
                : "remove it, or leave repeated rows out with --skip-bad-rows"};
}

}  // namespace isogrid::analysis
