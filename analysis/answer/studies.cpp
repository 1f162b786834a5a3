#include "analysis/answer/studies.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/surface_likelihood.hpp"
#include "analysis/laws/sweep.hpp"

namespace isogrid::analysis {
namespace {

bool part_of(const Run& run, std::string_view study) {
    return std::find(run.studies.begin(), run.studies.end(), study) != run.studies.end();
}

bool compares_families(const Law& law) {
    return std::find(law.needs.begin(), law.needs.end(), Role::family) != law.needs.end();
}

Estimate predict(const LossSurface& surface, const std::vector<double>& residuals, const Run& run,
                 std::uint64_t seed) {
    constexpr std::uint64_t stream = 1u << 20;  // of its own
    Random random(seed, stream);
    std::vector<double> spread;
    for (const LossSurface::Loss& loss : surface.replicates)
        spread.push_back(loss(run.parameters, run.tokens) *
                         std::exp(residuals[random.below(residuals.size())]));
    return summarize(surface.loss(run.parameters, run.tokens), std::move(spread), surface.widening);
}

}  // namespace

bool repeats_data(const Run& run) {
    return run.unique_tokens && run.tokens > 1.01 * *run.unique_tokens;
}

Runs runs_of_studies(const Law& law, const Runs& runs) {
    Runs chosen = runs;
    std::string_view study;
    for (const std::string_view candidate : law.studies)
        if (study.empty() && std::any_of(runs.used.begin(), runs.used.end(),
                                         [&](const Run& run) { return part_of(run, candidate); }))
            study = candidate;
    std::erase_if(chosen.used, [&](const Run& run) { return !run.studies.empty() && !part_of(run, study); });
    if (!compares_families(law))
        for (Run& run : chosen.used)
            if (!run.studies.empty()) run.family.clear();
    return chosen;
}

LargestFamily family_for(const Law& law, const Runs& about) {
    if (compares_families(law) || law.families_apart) return {about, ""};
    LargestFamily chosen = largest_family(about);
    const auto& used = chosen.runs.used;
    if (!law.fresh_data || !std::all_of(used.begin(), used.end(), repeats_data)) return chosen;
    Runs fresh = about;  // none of whose runs the law could use
    std::erase_if(fresh.used, repeats_data);
    return fresh.used.empty() ? chosen : largest_family(fresh);
}

Runs runs_for(const Law& law, const Runs& runs) {
    // The family first: laws of one file are of one family, whichever of its runs each of them can use.
    Runs chosen = family_for(law, runs_of_studies(law, runs)).runs;
    if (law.fresh_data) std::erase_if(chosen.used, repeats_data);
    return chosen;
}

void predict_validation(const Runs& runs, const FitOptions& options, std::vector<LawFit>& fits) {
    std::vector<const Run*> held_out;
    for (const Run& run : runs.used)
        if (part_of(run, "validation")) held_out.push_back(&run);
    if (held_out.empty()) return;
    for (LawFit& fit : fits) {
        if (fit.refused || !fit.surface) continue;
        // What a badly tuned run loses is no scatter of the runs that the law describes.
        std::vector<std::string> said_already;
        const Runs fitted = well_tuned(runs_for(law_of(fit), runs), options, said_already);
        const std::vector<double> residuals = log_residuals(fitted.used, fit.surface->loss);
        Table table{"held_out",
                    "Runs of the validation study, predicted without them",
                    {{"run", "run", Quantity::text},
                     {"flops", "C", Quantity::flops},
                     {"parameters", "N", Quantity::parameters},
                     {"tokens", "D", Quantity::tokens},
                     {"predicted", "predicted", Quantity::loss},
                     {"predicted_low", "from", Quantity::loss},
                     {"predicted_high", "to", Quantity::loss},
                     {"loss", "came to", Quantity::loss},
                     {"error", "error", Quantity::percent}},
                    {}};
        std::size_t inside = 0, intervals = 0;
        double largest = 0;
        for (const Run* run : held_out) {
            const Estimate predicted = predict(*fit.surface, residuals, *run, options.seed);
            const double error = predicted.value / run->loss - 1;
            table.rows.push_back({run->name, run->flops, run->parameters, run->tokens, predicted.value,
                                  predicted.low, predicted.high, run->loss, error});
            intervals += std::isfinite(predicted.low) && std::isfinite(predicted.high);
            inside += run->loss >= predicted.low && run->loss <= predicted.high;
            largest = std::max(largest, std::abs(error));
        }
        fit.tables.push_back(std::move(table));
        fit.notes.push_back("of " + std::to_string(held_out.size()) + " runs held out for validation, " +
                            (intervals > 0
                                 ? std::to_string(inside) + " lie inside the 95% interval of a single run"
                                 : std::string("none of which has an interval")) +
                            "; the largest error is " + format_quantity(largest, Quantity::percent));
    }
}

}  // namespace isogrid::analysis
