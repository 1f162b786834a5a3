// What `isogrid run` says of the sweep as a whole: how it begins, and how it ended.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "archive/found.hpp"
#include "cluster/folder/lock.hpp"
#include "cluster/run/run.hpp"
#include "cluster/site/places.hpp"
#include "cluster/sweep/left_to_do.hpp"
#include "cluster/sweep/sweep.hpp"
#include "program/console.hpp"

namespace isogrid::cluster {

/// What went wrong goes to standard error, the rest to the console.
class RunWords {
  public:
    /// All must outlive it.
    RunWords(program::Console& console, const RunRequest& request, const Misplaced& misplaced)
        : console_(console), request_(request), misplaced_(misplaced) {}

    /// Warnings (of a run that goes on, only those that are new), what is left to do, and who is there to do
    /// it; `ranks` with the coordinator.
    void begins(const LeftToDo& left, int ranks);

    void takes_over_from(const Holder& predecessor);
    /// All of the token file, of so many bytes, is about to be read.
    void verifies_tokens(double bytes);
    void not_used(const base::Faults& rejected);
    /// The study file could not be written, which readers look for before a sweep has ended (archive/so_far).
    void study_not_noted(const std::string& why);

    void finished_before(const archive::Found& found, const LeftToDo& left);
    void taken_over();
    /// The lock could not be seen at the moment when the archive was to be: an older one may stand there.
    void not_in_place();
    void not_stored(const std::vector<std::string>& faults);
    /// Trials failed one after the other from the start on: that is no fault of theirs.
    void place_at_fault(const Sweep& sweep);
    /// So many results are no longer there when all are to be merged.
    void gone(std::size_t number);
    /// The archive is not what was written.
    void damaged(const base::Faults& faults);
    /// `why` may be empty.
    void interrupted(const SweepState& state, const std::string& why);
    void done(const SweepState& state, const std::string& digest);

  private:
    void warn(const std::string& of);
    void warn_of_grid(bool goes_on);
    void failed(std::size_t number);
    std::string packing() const;
    std::size_t trials() const { return request_.study.grid.trials.size(); }

    program::Console& console_;
    const RunRequest& request_;
    const Misplaced& misplaced_;
};

}  // namespace isogrid::cluster
