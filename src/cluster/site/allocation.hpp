// The time that the batch system has given this job, and how a sweep makes use of it.
#pragma once

#include <optional>
#include <string>

namespace isogrid::cluster {

/// Seconds from `now` (since 1970) to the job's end as SLURM_JOB_END_TIME says, which Slurm or
/// slurm/sweep.sbatch sets. Nothing outside Slurm, or where it is not a number.
std::optional<double> seconds_to_end(double now);

/// What follows from the seconds that an allocation has left when a run starts in it.
struct Deadline {
    double stop_after = 0;   ///< seconds until every trial is told to stop, should no signal come before
    double least_worth = 0;  ///< a trial that cannot end by then starts only with so many seconds to train
};

/// Trials stop a minute before the end, time enough to save large models and to say good-bye; in allocations
/// of under ten minutes a tenth of them. A trial that would only be stopped again within a minute is not
/// started, unless that is half of what the allocation has: short allocations must get on as well.
Deadline deadline_of(double seconds_to_end);

}  // namespace isogrid::cluster
