// The rows of one run as its training curve: what joins them, and what shows that they are not one whole run.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "analysis/runs/csv_columns.hpp"

namespace isogrid::analysis {

/// By tokens; by FLOPs, then by step, where a column says the same of all of a run's points.
bool comes_before(const CurveSample& a, const CurveSample& b);

/// Of two cells: 0 is 0.0, and one without a value says nothing.
bool says_the_same(const std::string& one, const std::string& other);

/// A fault for each run whose rows differ in what is the same all through a run (its seed, its size, ..):
/// they are of several. Cells without text say nothing.
base::Faults find_mixed(const std::vector<Run>& rows, const std::string& source);

/// Joins the rows of one run, told by its name, into its training curve; the last row is the run's end.
void join_curves(std::vector<Run>& runs);

/// Of curves whose points nothing puts in order: which of them is the run's end, and its loss, is not known.
base::Faults find_unordered(const Runs& runs);

/// A row that was rejected.
struct LostRow {
    CurveSample at;           ///< how far the run had come, zero or no number where the row does not say
    bool broke_down = false;  ///< its loss is no number (`nan`, `inf`, ..), rather than not there
};

/// By the name of their run.
using Lost = std::map<std::string, std::vector<LostRow>>;

/// A run whose last rows are bad did not end with its last good one: a run that diverged would pass for one
/// that was meant to be shorter. Such runs come first among the rejected, before all their rows.
void reject_unfinished(Runs& runs, const Lost& lost, const Places& places);

}  // namespace isogrid::analysis
