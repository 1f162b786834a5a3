// Loss against model size alone.
#include "analysis/laws/law.hpp"
#include "analysis/laws/other_variable.hpp"
#include "analysis/laws/single_variable.hpp"

namespace isogrid::analysis {

LawFit fit_size(const Runs& runs, const FitOptions& options) {
    Ladder ladder;
    ladder.law = "size", ladder.symbol = "N";
    ladder.axis = {"parameters N", Quantity::parameters, true};
    ladder.x = [](const Run& run) { return run.parameters; };
    ladder.others = [](const Run& run) { return &run.other_parameters; };
    ladder.notes = {
        "the lowest loss that each size reaches; sizes that do no better than a smaller one lacked data and "
        "are "
        "left out. E holds what the data cannot teach"};
    ladder.advice = "train more sizes on as much data as there is";
    ladder.not_alone = [&](const std::vector<const Run*>& used) {
        return moved_by_the_other(used, data_beside_size, runs.used, options);
    };
    const std::vector<Run> means = mean_runs(runs, ladder);
    for (const Run& run : means)
        if (run.parameters > 0) ladder.used.push_back(&run);
    keep_best_at_each(ladder);
    keep_lower_envelope(ladder);
    return fit_single_variable(std::move(ladder), options);
}

}  // namespace isogrid::analysis
