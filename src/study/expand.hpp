// From a checked job to its trials: those of each study's table, and of all of them together. Requests that
// cannot be met become faults; which ones stands in docs/job-file.md.
#pragma once

#include <vector>

#include "study/job_faults.hpp"
#include "study/trial_maker.hpp"

namespace isogrid::study {

using Trials = std::vector<PlannedTrial>;

Trials expand(const Isoflop& study, const TrialMaker& maker, JobFaults& faults);
Trials expand(const Validation& study, const TrialMaker& maker, JobFaults& faults);
/// The grid of [isoflop] under each variant of the recipe.
Trials expand(const Schedules& study, const TrialMaker& maker, JobFaults& faults);

Trials expand(const CriticalBatch& study, const TrialMaker& maker, JobFaults& faults);
Trials expand(const BatchRamp& study, const TrialMaker& maker, JobFaults& faults);
Trials expand(const LearningRates& study, const TrialMaker& maker, JobFaults& faults);
Trials expand(const MupLadder& study, const TrialMaker& maker, JobFaults& faults);
Trials expand(const Decays& study, const TrialMaker& maker, JobFaults& faults);
Trials expand(const Repetition& study, const TrialMaker& maker, JobFaults& faults);
Trials expand(const DataSize& study, const TrialMaker& maker, JobFaults& faults);

/// Adds trials to those of other studies. Equal ones are trained once, under the name that came first.
void join(Trials& all, Trials more);

/// The trials of all studies, those of one study in canonical order.
Trials expand_grid(const Job& job, const CorpusFacts& corpus, const ExactFlopsPerToken& exact_flops_per_token,
                   JobFaults& faults);

}  // namespace isogrid::study
