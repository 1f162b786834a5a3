// Trials of one job: what its tables say, with what a study changes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "study/job.hpp"
#include "study/study.hpp"

namespace isogrid::study {

/// What a study sets for a trial; the rest is the job's.
struct Setting {
    Shape shape;
    Recipe recipe;
    double tokens = 0;  ///< rounded to whole steps, one at least
    std::uint64_t seed = 0;
    std::int64_t points = 0;  ///< evaluations; 0: as the job says
    std::int64_t horizon_steps = 0;
};

class TrialMaker {
  public:
    TrialMaker(const Job& job, const CorpusFacts& corpus, const ExactFlopsPerToken& exact_flops_per_token)
        : job_(&job), corpus_(&corpus), exact_flops_per_token_(&exact_flops_per_token) {}

    const Job& job() const { return *job_; }
    const CorpusFacts& corpus() const { return *corpus_; }

    /// The ladder's shape of this width; `depth` 0: as the ladder has it.
    Shape shape(std::int64_t width, std::int64_t depth = 0) const;

    /// Counted once for each shape.
    FlopsPerToken flops_per_token(const Shape& shape) const;

    PlannedTrial make(std::string name, std::string_view study, const Setting& setting) const;

  private:
    const Job* job_;
    const CorpusFacts* corpus_;
    const ExactFlopsPerToken* exact_flops_per_token_;
    mutable std::map<std::string, FlopsPerToken> flops_;  ///< by label
};

/// The seed of repetition `i`, from 0: the job's own, then those after it.
std::uint64_t seed_of(const Job& job, std::int64_t i);

/// The recipe with another batch, the same all through: as many leaves as it had, or as a binary tree of
/// equal leaves allows.
Recipe with_batch(Recipe recipe, std::int64_t batch);

/// What a learning rate that suits `base` sequences a step is multiplied by at `batch`.
double rule_factor(BatchRule rule, std::int64_t batch, std::int64_t base);

/// Steps of a fraction of a trial, one at least where the fraction is not 0.
std::int64_t steps_of(double fraction, std::int64_t steps);

}  // namespace isogrid::study
