// What verbs that begin with a job file share: the job itself, what trains it, and their options.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/backend.hpp"
#include "study/study.hpp"
#include "verbs/verb.hpp"

namespace isogrid::verbs {

/// The job that JOB names, scaled where --scale says so.
base::Result<study::Study> read_job(const options::variables_map& given);

/// The backend of a card; a fault where it cannot be used.
base::Result<std::unique_ptr<kernels::Backend>> backend_of_card(const study::Job& job, int card);

/// Adds to the study's warnings what its precision costs on `backend`.
void warn_of_precision(study::Study& study, const kernels::Backend& backend);

/// Trials that plan to hold more than `bytes`.
int count_too_large(const study::Study& study, const kernels::Backend& backend, std::int64_t bytes);

void add_scale(Verb& verb);
void add_isa(Verb& verb);

}  // namespace isogrid::verbs
