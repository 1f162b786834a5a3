// The studies that a job file may ask for, as its tables state them; docs/job-file.md explains every key.
// Where a list is empty, what the model and recipe tables say counts.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "study/flops.hpp"
#include "study/trial.hpp"

namespace isogrid::study {

/// [isoflop]: the best size of each budget.
struct Isoflop {
    std::vector<double> budgets;  ///< FLOPs under `convention`
    FlopConvention convention = FlopConvention::exact;
    std::int64_t sizes = 7;  ///< shapes a budget, spread evenly in log N inside tokens_per_parameter
    double tokens_per_parameter_low = 1, tokens_per_parameter_high = 400;  ///< N: all parameters
    std::int64_t seeds = 1;
    bool trunks = false;  ///< budgets of one shape are decays from one trunk
};

/// How a learning rate that suits one batch is carried to another.
enum class BatchRule { none, square_root, linear };
inline constexpr std::array batch_rules = {BatchRule::none, BatchRule::square_root, BatchRule::linear};
std::string_view name(BatchRule rule);

/// From so many tokens on, steps of `batch` sequences.
struct BatchChange {
    std::int64_t tokens = 0, batch = 0;
    bool operator==(const BatchChange&) const = default;
};

/// [critical_batch]: steps to target losses against the batch (McCandlish et al. 2018, section 2.3), at a
/// constant learning rate.
struct CriticalBatch {
    std::vector<std::int64_t> widths, batches;
    std::vector<double> learning_rates;  ///< at recipe.batch
    BatchRule rule = BatchRule::square_root;
    std::vector<double> targets;  ///< validation losses, falling; a trial ends at the last
    std::int64_t tokens = 0;      ///< or here
    std::int64_t trunk_tokens =
        0;  ///< all go on from a trunk of so many at recipe.batch; 0: from their start
    double warmup_fraction = 0.02;  ///< of `tokens`, or of the trunk's
    std::int64_t points = 40;       ///< evaluations a trial
    std::int64_t seeds = 1;
};

/// [batch_ramp]: fixed batches against batches that grow while a trial goes on, all for the same tokens.
struct BatchRamp {
    std::vector<std::int64_t> widths, batches;
    std::vector<BatchChange> ramp;       ///< from 0 tokens on; may be empty
    std::vector<double> critical_batch;  ///< c and a: batches follow c D^a tokens after D; may be empty
    std::vector<double> learning_rates;  ///< at recipe.batch
    BatchRule rule = BatchRule::square_root;
    std::int64_t tokens = 0;
    std::int64_t seeds = 1;
};

/// [learning_rate]: loss over learning rate, batch, size, weight decay and warm-up.
struct LearningRates {
    std::vector<std::int64_t> widths, batches, tokens;
    std::vector<double> learning_rates, weight_decays, warmup_fractions;
    std::int64_t seeds = 1;
};

/// [mup]: the same sweep of learning rates at several widths and depths.
struct MupLadder {
    std::vector<std::int64_t> widths, depths;
    std::vector<double> learning_rates;
    std::vector<ParametrizationKind> parametrizations = {ParametrizationKind::standard,
                                                         ParametrizationKind::mup};
    std::int64_t tokens = 0;
    std::int64_t seeds = 1;
    bool coordinate_check = true;  ///< before the first trial; refuses the study where muP fails it
};

/// [wsd]: one stable trunk a shape and decays from it.
struct Decays {
    std::vector<std::int64_t> widths;
    std::vector<std::int64_t> branches;        ///< tokens at which decays begin, rising
    std::vector<std::int64_t> added_branches;  ///< further ones, where no other trial is evaluated
    std::int64_t trunk_tokens = 0;             ///< 0: to the last branch
    std::vector<DecayForm> forms = {DecayForm::linear};
    std::vector<double> final_fractions;
    std::int64_t seeds = 1;
};

/// [repetition]: different tokens x epochs (Muennighoff et al. 2023).
struct Repetition {
    std::vector<std::int64_t> widths, unique_tokens;
    std::vector<double> epochs;
    std::int64_t seeds = 1;
};

/// [data_size]: one epoch of rising amounts of data at sizes that are large for them.
struct DataSize {
    std::vector<std::int64_t> widths, tokens;
    std::int64_t seeds = 1;
};

/// What [schedules] may compare.
enum class Variant { tuned, truncated_cosine, fixed_warmup, stable_decay, large_batch };
inline constexpr std::array variants = {Variant::tuned, Variant::truncated_cosine, Variant::fixed_warmup,
                                        Variant::stable_decay, Variant::large_batch};
std::string_view name(Variant variant);

/// [schedules]: the isoFLOP grid again under each of these changes of the recipe (Porian et al. 2024).
struct Schedules {
    std::vector<Variant> variants;
    std::int64_t large_batch = 0;  ///< sequences a step of that variant
};

/// [validation]: budgets above those of [isoflop], predicted from it.
struct Validation {
    std::vector<double> budgets;
    std::int64_t sizes = 3;
    std::int64_t seeds = 1;
};

}  // namespace isogrid::study
