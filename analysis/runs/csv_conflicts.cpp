#include "analysis/runs/csv_conflicts.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "analysis/figures/numbers.hpp"
#include "analysis/runs/csv.hpp"
#include "analysis/runs/csv_curves.hpp"

namespace isogrid::analysis {
namespace {

/// Indices of rows, in the order of the file.
using Rows = std::vector<std::size_t>;

const CurveSample& point_of(const std::vector<Run>& rows, std::size_t row) {
    return rows[row].curve.front();
}

/// A row, and the later one that gives the same point of the run another loss.
struct Conflict {
    std::size_t row = 0, later = 0;
};

std::vector<Conflict> find_conflicts(const std::vector<Run>& rows, Rows of_run) {
    const auto before = [&](std::size_t a, std::size_t b) {
        return comes_before(point_of(rows, a), point_of(rows, b));
    };
    std::stable_sort(of_run.begin(), of_run.end(), before);
    std::vector<Conflict> found;
    if (of_run.empty() || !before(of_run.front(), of_run.back())) return found;  // nothing puts them in order
    for (auto begin = of_run.begin(); begin != of_run.end();) {
        const auto end = std::upper_bound(begin, of_run.end(), *begin, before);
        const std::size_t last = *(end - 1);
        for (; begin != end; ++begin)
            if (rows[*begin].loss != rows[last].loss) found.push_back({*begin, last});
    }
    return found;
}

/// Whether the rows, in the order of the file, are those of one run that was taken up again at checkpoints:
/// it falls back by less than it keeps, and comes as far as it had been. Two runs one after the other fall
/// back to the start, and two losses side by side do not fall back.
bool was_taken_up_again(const std::vector<Run>& rows, const Rows& of_run) {
    std::vector<CurveSample> path;  // to the row at hand, without what it fell back behind
    std::optional<CurveSample> furthest;
    for (const std::size_t row : of_run) {
        const CurveSample& here = point_of(rows, row);
        const auto behind = std::lower_bound(path.begin(), path.end(), here, comes_before);
        if (behind + 1 == path.end() && !comes_before(here, *behind)) {
            if (here.loss != behind->loss) return false;
            continue;
        }
        if (behind - path.begin() < path.end() - behind) return false;
        path.erase(behind, path.end());
        path.push_back(here);
        if (!furthest || comes_before(*furthest, here)) furthest = here;
    }
    return !path.empty() && !comes_before(path.back(), *furthest);
}

/// `step 100`, or how many tokens or FLOPs in.
std::string named(const CurveSample& point) {
    if (!std::isnan(point.step)) return "step " + format_significant(point.step, 12);
    if (point.tokens > 0) return format_count(point.tokens, 6) + " tokens";
    return format_significant(point.flops, 6) + " FLOPs";
}

}  // namespace

base::Faults settle_conflicts(Runs& runs, std::vector<std::size_t>& lines, bool skip_bad_rows) {
    std::vector<Rows> by_run;  // in the order of the file
    std::map<std::string, std::size_t> place;
    for (std::size_t row = 0; row < runs.used.size(); ++row) {
        const auto [at, fresh] = place.try_emplace(runs.used[row].name, by_run.size());
        if (fresh) by_run.emplace_back();
        by_run[at->second].push_back(row);
    }
    base::Faults faults;
    std::map<std::size_t, std::string> reasons;  // to reject a row, in the order of the file
    for (const Rows& rows : by_run) {
        const std::vector<Conflict> conflicts = find_conflicts(runs.used, rows);
        if (conflicts.empty()) continue;
        const bool resumed = was_taken_up_again(runs.used, rows);
        if (!resumed && !skip_bad_rows) {
            const auto [row, later] = conflicts.front();
            faults.push_back(
                {runs.source + ":" + std::to_string(lines[later]),
                 "run " + runs.used[row].name + " has another loss at " + named(point_of(runs.used, row)) +
                     " than on line " + std::to_string(lines[row]),
                 "its rows are of two runs, or of two losses",
                 "name a column that tells runs apart (run=), keep the rows of one with --where, "
                 "or the later row of a point with --skip-bad-rows"});
        }
        for (const auto& [row, later] : conflicts)
            reasons[row] = "line " + std::to_string(lines[later]) +
                           " has another loss at the same point of the run" +
                           (resumed ? ", which was taken up again before it" : "");
    }
    if (!faults.empty()) return shortened(faults, runs.source);
    std::vector<Run> used;
    std::vector<std::size_t> places;
    for (std::size_t row = 0; row < runs.used.size(); ++row) {
        Run& run = runs.used[row];
        if (const auto reason = reasons.find(row); reason != reasons.end()) {
            runs.rejected.push_back(
                {"line " + std::to_string(lines[row]) + " of run " + run.name, run.digest, reason->second});
        } else {
            used.push_back(std::move(run));
            places.push_back(lines[row]);
        }
    }
    runs.used = std::move(used);
    lines = std::move(places);
    return {};
}

}  // namespace isogrid::analysis
