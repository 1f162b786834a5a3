// Runs from anybody's CSV file.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

#include "analysis/csv.hpp"
#include "analysis/csv_columns.hpp"
#include "analysis/csv_rows.hpp"
#include "analysis/numbers.hpp"
#include "analysis/runs.hpp"
#include "study/digest.hpp"
#include "study/text_file.hpp"

namespace isogrid::analysis {
namespace {

/// Rows that say the same twice would count twice.
study::Faults find_duplicates(const CsvTable& table, const std::vector<const CsvRow*>& rows,
                              const Places& places, const CsvRequest& request) {
    study::Faults faults;
    std::map<std::vector<std::string>, std::size_t> seen;
    for (const CsvRow* row : rows) {
        std::vector<std::string> said;
        for (const auto& [role, place] : places)
            said.push_back(row->cells[place]);
        const auto [first, fresh] = seen.try_emplace(std::move(said), row->line);
        if (fresh || request.skip_bad_rows) continue;
        std::string columns;
        for (const auto& [role, column] : request.columns)
            columns += (columns.empty() ? "" : ", ") + column;
        faults.push_back({request.file.string() + ":" + std::to_string(row->line),
                          "the same run as line " + std::to_string(first->second),
                          "equal in the columns " + columns,
                          table.columns.size() > request.columns.size()
                              ? "remove it, name the column that tells them apart (seed=, name=), or leave "
                                "repeated rows out with --skip-bad-rows"
                              : "remove it, or leave repeated rows out with --skip-bad-rows"});
    }
    return faults;
}

/// Of curves whose points nothing puts in order: which of them is the run's end, and its loss, is not known.
study::Faults find_unordered(const Runs& runs) {
    study::Faults faults;
    for (const Run& run : runs.used)
        if (run.curve.size() > 1 && !comes_before(run.curve.front(), run.curve.back()))
            faults.push_back({runs.source, "the rows of run " + run.name + " have no order",
                              "none has more tokens, FLOPs or steps than another",
                              "name the column that counts them (step=, tokens= or flops=)"});
    return shortened(std::move(faults), runs.source);
}

/// Says where budgets are not met to the digit.
void note_rounding(Runs& runs) {
    double off = 0;
    for (const Run& run : runs.used)
        if (run.budget > 0) off = std::max(off, std::abs(run.flops / run.budget - 1));
    if (off < 2e-6) return;
    runs.notes.push_back(
        "C lies up to " + format_significant(100 * off, 2) +
        "% off its budget (tokens in whole batches, say): runs that differ by 2% or less are "
        "taken for one budget");
}

}  // namespace

study::Result<Runs> read_csv(const CsvRequest& request) {
    const auto text = study::read_text(request.file, "a CSV file");
    if (!text) return tl::unexpected(text.error());
    const auto table = parse_csv(*text, request.file.string());
    if (!table) return tl::unexpected(table.error());
    const auto places = find_columns(*table, request);
    if (!places) return tl::unexpected(places.error());

    Runs runs;
    runs.source = request.file.string();
    runs.digest = study::sha256(*text);
    runs.conventions = conventions_of(request.columns);
    runs.sources = sources_of(request.columns);
    const std::vector<const CsvRow*> rows = chosen_rows(*table, request, *places);
    if (rows.empty())
        return study::fail(
            runs.source, "no runs",
            request.where.empty() ? "the file has only a header" : "no row passes every --where",
            "check the file and the conditions");

    study::Faults faults = find_duplicates(*table, rows, *places, request);
    RowReader reader(request, *places, runs.sources);
    std::set<std::string> seen;
    for (const CsvRow* row : rows) {
        Run run = reader.read(*row);
        const bool again = request.skip_bad_rows && !seen.insert(row->text).second;
        const std::string reason = again ? "the same row stands above it" : reader.reason();
        if (reason.empty())
            runs.used.push_back(std::move(run));
        else
            runs.rejected.push_back({run.name, run.digest, reason});
    }
    faults.insert(faults.end(), reader.faults().begin(), reader.faults().end());
    if (!faults.empty()) return tl::unexpected(shortened(std::move(faults), runs.source));
    if (places->contains("step") && !places->contains("run"))  // the file is one run's curve
        for (Run& run : runs.used)
            run.name = request.file.stem().string();
    if (places->contains("run") || places->contains("step")) {
        join_curves(runs.used);
        if (study::Faults unordered = find_unordered(runs); !unordered.empty())
            return tl::unexpected(std::move(unordered));
    } else {
        for (Run& run : runs.used)
            run.curve.clear();
    }
    join_budgets(runs.used);
    drop_highest_loss(runs, request.drop_highest_loss);
    if (rows.size() < table->rows.size())
        runs.notes.push_back(std::to_string(table->rows.size() - rows.size()) + " of " +
                             std::to_string(table->rows.size()) + " rows were set aside by --where");
    return runs;
}

study::Result<Runs> read_csv(const std::vector<std::filesystem::path>& files, CsvRequest request) {
    Runs all;
    std::string digests;
    std::map<std::string, std::filesystem::path> read;  // by digest
    for (const std::filesystem::path& file : files) {
        request.file = file;
        auto runs = read_csv(request);
        if (!runs) return runs;
        if (files.size() == 1) {
            note_rounding(*runs);
            return runs;
        }
        digests += runs->digest;
        if (const auto [same, fresh] = read.try_emplace(runs->digest, file); !fresh)
            return study::fail(file.string(), "holds the same as " + same->second.string(),
                               "its runs would count twice", "name it once");
        all.source = all.source.empty()
                         ? runs->source
                         : std::to_string(files.size()) + " files, the first " + files.front().string();
        all.conventions = runs->conventions;
        all.sources = runs->sources;
        std::move(runs->used.begin(), runs->used.end(), std::back_inserter(all.used));
        std::move(runs->rejected.begin(), runs->rejected.end(), std::back_inserter(all.rejected));
        for (const std::string& note : runs->notes)
            all.notes.push_back(file.filename().string() + ": " + note);
    }
    all.digest = study::sha256(digests);
    join_budgets(all.used);
    note_rounding(all);
    return all;
}

}  // namespace isogrid::analysis
