// What verbs that begin with a job file share: the job itself and its options.
#pragma once

#include "study/study.hpp"
#include "verbs/verb.hpp"

namespace isogrid::verbs {

/// The job that JOB names, scaled where --scale says so.
base::Result<study::Study> read_job(const options::variables_map& given);

void add_scale(Verb& verb);
void add_isa(Verb& verb);

}  // namespace isogrid::verbs
