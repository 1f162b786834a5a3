// Runs from anybody's CSV file.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "analysis/figures/numbers.hpp"
#include "analysis/runs/csv.hpp"
#include "analysis/runs/csv_columns.hpp"
#include "analysis/runs/csv_conflicts.hpp"
#include "analysis/runs/csv_curves.hpp"
#include "analysis/runs/csv_repeats.hpp"
#include "analysis/runs/csv_rows.hpp"
#include "analysis/runs/runs.hpp"
#include "base/digest.hpp"
#include "files/text.hpp"

namespace isogrid::analysis {
namespace {

/// A run that was read, without its points, and its file.
struct SeenCurve {
    Run run;
    std::string file;
};

/// What was read before: of several files too.
struct Seen {
    std::map<std::string, std::filesystem::path> files;  ///< by digest
    SeenRows rows;
    std::map<std::string, std::vector<SeenCurve>> curves;  ///< by the name of their run
    std::map<std::string, int> stems;                      ///< how many of all the files are called so
};

/// What a file's one run is called: as the file, or as its path where other files are called so.
std::string name_of_curve(const std::filesystem::path& file, const Seen& seen) {
    const std::string stem = file.stem().string();
    const auto files = seen.stems.find(stem);
    return files != seen.stems.end() && files->second > 1 ? file.string() : stem;
}

/// What two files say of runs with one name tells them apart.
bool tells_apart(const Run& one, const Run& other) {
    return !says_the_same(one.seed, other.seed) || !says_the_same(one.family, other.family) ||
           !says_the_same(one.parametrization, other.parametrization) || one.parameters != other.parameters ||
           one.width != other.width;
}

/// A run of two files is one in parts, or two that could not be told apart: neither by seed nor by size.
base::Faults find_split(const Runs& runs, Seen& seen) {
    base::Faults faults;
    for (const Run& run : runs.used) {
        std::vector<SeenCurve>& called_so = seen.curves[run.name];
        const auto same = std::find_if(called_so.begin(), called_so.end(), [&](const SeenCurve& before) {
            return !tells_apart(before.run, run);
        });
        if (same != called_so.end()) {
            faults.push_back({runs.source, "run " + run.name + " stands in " + same->file + " too",
                              "a run is read from one file",
                              "put its rows into one file, or give two runs two names"});
            continue;
        }
        called_so.push_back({run, runs.source});
        called_so.back().run.curve.clear();
    }
    return shortened(faults, runs.source);
}

/// A file that is one curve has one name, if any.
base::Faults find_names(const Runs& runs, const Places& places) {
    if (!places.contains("name")) return {};
    const Run* first = nullptr;
    for (const Run& run : runs.used) {
        if (run.name.starts_with("line ")) continue;  // it has no name
        if (first == nullptr) first = &run;
        if (run.name != first->name)
            return {{runs.source, "the rows are of " + first->name + " and of " + run.name,
                     "without run= a file that counts steps is one curve",
                     "name the column that tells runs apart as run=, not as name="}};
    }
    return {};
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

/// What the rows of a file say, one by one.
struct RowsRead {
    Runs runs;                       ///< each used one is a row
    std::vector<std::size_t> lines;  ///< where the used ones stand
    Lost lost;
    base::Faults faults;
};

/// Takes out the used rows at these places, each once.
void take_out(RowsRead& read, std::vector<std::size_t> places) {
    std::sort(places.begin(), places.end());
    const auto keeps = [&](std::size_t at) { return !std::binary_search(places.begin(), places.end(), at); };
    std::vector<Run> used;
    std::vector<std::size_t> lines;
    for (std::size_t at = 0; at < read.lines.size(); ++at)
        if (keeps(at)) {
            used.push_back(std::move(read.runs.used[at]));
            lines.push_back(read.lines[at]);
        }
    read.runs.used = std::move(used);
    read.lines = std::move(lines);
}

/// Reads the rows that were chosen; those of a file that is one curve are of the run called `only`.
RowsRead read_rows(const CsvTable& table, const CsvRequest& request, const Places& places,
                   const std::string& only, Seen& seen) {
    RowsRead read;
    read.runs.source = request.file.string();
    read.runs.sources = sources_of(request.columns);
    const bool curves = !only.empty() || places.contains("run");
    RowReader reader(request, places, read.runs.sources);
    std::string above;  // the run of the rows above
    std::map<std::size_t, std::size_t>
        at_line;  // where in `used` the last row is that says what this line does
    std::vector<std::size_t> earlier;
    for (const CsvRow* row : chosen_rows(table, request, places)) {
        Run run = reader.read(*row);
        const bool nameless = only.empty() && reader.is_nameless(*row);
        const std::string line = "line " + std::to_string(row->line), of = only.empty() ? run.name : only;
        if (!nameless) above = of;
        const auto first = said_before(*row, places, request.file, seen.rows);
        // Points of a curve that stand in its file twice are one point: nothing counts twice. It is the later
        // row, as of a run that was taken up again the later rows count.
        const bool same_point = first && curves && first->file == request.file;
        if (const auto same = same_point ? at_line.find(first->line) : at_line.end(); same != at_line.end()) {
            const std::string was = "line " + std::to_string(read.lines[same->second]);
            read.runs.rejected.push_back({of != line ? was + " of run " + of : was,
                                          read.runs.used[same->second].digest, "the same row as " + line});
            earlier.push_back(std::exchange(same->second, read.runs.used.size()));
            read.runs.used.push_back(std::move(run));
            read.lines.push_back(row->line);
            continue;
        }
        if (first && !same_point && !request.skip_bad_rows)
            read.faults.push_back(repeated(table, *row, *first, request));
        const std::string reason =
            first ? (same_point ? "the same row as " : "the same run as ") + described(*first, request.file)
                  : reader.reason();
        if (reason.empty()) {
            if (auto other = find_other_task(*row, places, request, seen.rows)) {
                if (request.skip_bad_rows) {
                    read.runs.rejected.push_back({curves && of != line ? line + " of run " + of : run.name,
                                                  run.digest, other->problem});
                    continue;
                }
                read.faults.push_back(std::move(*other));
            }
            at_line[row->line] = read.runs.used.size();
            read.runs.used.push_back(std::move(run));
            read.lines.push_back(row->line);
            continue;
        }
        // A row without a name stands below those of its run, most likely: without it the run may be cut
        // short.
        if (curves && !first)
            read.lost[nameless ? above : of].push_back({run.curve.front(), reader.broke_down(*row)});
        read.runs.rejected.push_back(
            {curves && of != line ? line + " of run " + of : run.name, run.digest, reason});
    }
    take_out(read, std::move(earlier));
    read.faults.insert(read.faults.end(), reader.faults().begin(), reader.faults().end());
    return read;
}

/// A row of too few cells may be one that was being written: what is there of it is not to be trusted either.
void add_uneven(const base::Faults& uneven, const CsvRequest& request, RowsRead& read) {
    if (!request.skip_bad_rows) {
        read.faults.insert(read.faults.end(), uneven.begin(), uneven.end());
        return;
    }
    for (const base::Fault& row : uneven)
        read.runs.rejected.push_back({"line " + row.where.substr(row.where.rfind(':') + 1),
                                      {},
                                      "has " + row.problem + " (" + row.why + ")"});
}

/// Makes rows the curves of their runs, all of the run called `only` if it is. Faults where they are none.
base::Faults make_curves(RowsRead& read, const std::string& only, const CsvRequest& request,
                         const Places& places, Seen& seen) {
    Runs& runs = read.runs;
    if (!only.empty()) {
        if (base::Faults names = find_names(runs, places); !names.empty()) return names;
        for (Run& run : runs.used)
            run.name = only;
    }
    if (base::Faults mixed = find_mixed(runs.used, runs.source); !mixed.empty()) return mixed;
    if (base::Faults conflicts = settle_conflicts(runs, read.lines, request.skip_bad_rows);
        !conflicts.empty())
        return conflicts;
    join_curves(runs.used);
    if (base::Faults unordered = find_unordered(runs); !unordered.empty()) return unordered;
    if (base::Faults split = find_split(runs, seen); !split.empty()) return split;
    reject_unfinished(runs, read.lost, places);
    return {};
}

/// The runs of one file. Budgets and the highest losses are of all files together.
base::Result<Runs> read_file(const CsvRequest& request, Seen& seen) {
    const std::string source = request.file.string();
    const auto text = files::read_text(request.file, "a CSV file");
    if (!text) return tl::unexpected(text.error());
    const auto table = parse_csv(*text, source);
    if (!table) return tl::unexpected(table.error());
    const auto places = find_columns(*table, request);
    if (!places) return tl::unexpected(places.error());
    const std::string digest = base::sha256(*text);
    if (const auto [same, fresh] = seen.files.try_emplace(digest, request.file); !fresh)
        return base::fail(source, "holds the same as " + same->second.string(), "its runs would count twice",
                          "name it once");

    // A file that is one curve shares points with others: their losses at the start, say.
    const bool one_curve = places->contains("step") && !places->contains("run");
    if (one_curve) seen.rows = {};
    const std::string only = one_curve ? name_of_curve(request.file, seen) : "";
    RowsRead read = read_rows(*table, request, *places, only, seen);
    add_uneven(table->uneven, request, read);
    if (!read.faults.empty()) return tl::unexpected(shortened(read.faults, source));
    Runs& runs = read.runs;
    const std::size_t rows = runs.used.size() + runs.rejected.size();
    if (rows == 0)
        return base::fail(
            source, "no runs",
            request.where.empty() ? "the file has only a header" : "no row passes every --where",
            "check the file and the conditions");
    runs.digest = digest;
    runs.conventions = conventions_of(request.columns);
    if (one_curve || places->contains("run")) {
        if (base::Faults broken = make_curves(read, only, request, *places, seen); !broken.empty())
            return tl::unexpected(std::move(broken));
    } else {
        for (Run& run : runs.used)
            run.curve.clear();
    }
    const std::size_t all_rows = table->rows.size() + (request.skip_bad_rows ? table->uneven.size() : 0);
    if (rows < all_rows)
        runs.notes.push_back(std::to_string(all_rows - rows) + " of " + std::to_string(all_rows) +
                             " rows were set aside by --where");
    return std::move(runs);
}

}  // namespace

base::Result<Runs> read_csv(const CsvRequest& request) {
    return read_csv({request.file}, request);
}

base::Result<Runs> read_csv(const std::vector<std::filesystem::path>& files, CsvRequest request) {
    Runs all;
    std::string digests;
    Seen seen;
    for (const std::filesystem::path& file : files)
        ++seen.stems[file.stem().string()];
    for (const std::filesystem::path& file : files) {
        request.file = file;
        auto runs = read_file(request, seen);
        if (!runs) return runs;
        if (files.size() == 1) {
            all = std::move(*runs);
            break;
        }
        digests += runs->digest;
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
    if (files.size() > 1) all.digest = base::sha256(digests);
    join_budgets(all.used);
    drop_highest_loss(all, request.drop_highest_loss);
    note_rounding(all);
    return all;
}

}  // namespace isogrid::analysis
