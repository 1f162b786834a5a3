// Trials of budgets: shapes of the ladder, each trained on as many tokens as the budget pays for (Hoffmann et
// al. 2022, section 3.2).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "study/expand.hpp"

namespace isogrid::study {

/// Budgets under one recipe: those of [isoflop], those that validate it, those of a changed recipe.
struct BudgetStudy {
    std::string table;            ///< that asks for it: `isoflop`
    std::string prefix;           ///< of names: `b`
    std::vector<double> budgets;  ///< FLOPs in the convention of [isoflop]
    std::int64_t sizes = 0, seeds = 1;
    Recipe recipe;
    std::string variant = {};
    bool truncated = false;  ///< cosines that would end where the largest budget does
};

/// At each budget as many sizes as asked for, spread evenly among those that [isoflop] allows. A budget that
/// suits no shape, or misses its FLOPs by more than 1% for its whole steps, becomes a fault.
Trials expand_budgets(const BudgetStudy& study, const TrialMaker& maker, JobFaults& faults);

}  // namespace isogrid::study
