// One row of a CSV file as a run, or as a point of a run's curve.
#pragma once

#include <string>
#include <vector>

#include "analysis/runs/csv_columns.hpp"

namespace isogrid::analysis {

/// Reads rows. What is wrong with one is a fault or, with skip_bad_rows, the reason to reject it.
class RowReader {
  public:
    /// Refers to all three as long as it lives; `sources` as sources_of gives them.
    RowReader(const CsvRequest& request, const Places& places, const std::vector<std::string>& sources)
        : request_(request), places_(places), sources_(sources) {}

    /// What the row says of a run; its curve holds the row as a point. Tokens and FLOPs that no column gives
    /// are derived from those that one does.
    Run read(const CsvRow& row);

    const base::Faults& faults() const { return faults_; }
    /// Why the row read last is rejected; empty when it is not.
    const std::string& reason() const { return reason_; }
    /// The row's loss is no number (`nan`, `inf`, text): the run broke down. It is not merely absent.
    bool broke_down(const CsvRow& row) const;
    /// The row is of a run, and does not say of which: its run is called as its line.
    bool is_nameless(const CsvRow& row) const;

  private:
    using Place = Places::value_type;

    /// Above zero, or from zero on; nothing where no column was named or the cell is bad.
    std::optional<double> value(const CsvRow& row, const std::string& role, bool zero_allowed = false);
    /// Of a downstream task, which not every run was tried on: an empty cell is no fault.
    std::optional<double> error(const CsvRow& row);
    /// What the row's run is called: by its role `run`, which must say it, or `name`, or by the row's line.
    std::string run_name(const CsvRow& row);
    /// Spaces around it aside, as of numbers: a and `a ` look alike in a spreadsheet.
    std::string text(const CsvRow& row, Role role) const;
    std::string where(const CsvRow& row) const;
    std::string column(const Place& place) const;
    std::optional<double> bad(const CsvRow& row, const Place& place, const std::string& what,
                              const std::string& why, const std::string& what_to_do = "correct it");

    const CsvRequest& request_;
    const Places& places_;
    const std::vector<std::string>& sources_;
    base::Faults faults_;
    std::string reason_;
};

}  // namespace isogrid::analysis
