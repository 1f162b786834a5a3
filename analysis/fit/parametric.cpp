#include "analysis/fit/parametric.hpp"

#include "analysis/fit/profile.hpp"
#include "analysis/fit/replicates.hpp"
#include "analysis/fit/verdict.hpp"

namespace isogrid::analysis {

ParametricFit fit_parametric(const ParametricLaw& law, const FitOptions& options) {
    ParametricFit fit;
    fit.minima =
        minimize_from_many(law.model, options.objective, law.weights, law.starts, law.minimized_starts);
    if (fit.minima.empty()) {
        fit.refused =
            Reason{Refusal::not_converged,
                   "no start gives a finite objective (losses or counts are out of range) check the runs"};
        return fit;
    }
    const bool certified = law.certify && certify(law, options, fit.minima);
    const Minimum& best = fit.minima.front();
    fit.values = law.report(best.at);
    fit.widening = widening_of(law, options);
    fit.replicates = refit_resampled(law, options, fit.minima);
    const bool profile =
        options.intervals == Intervals::profile && options.objective.kind == ObjectiveKind::l2;
    for (std::size_t p = 0; p < law.parameters.size(); ++p)
        fit.parameters.push_back(
            {law.parameters[p].name, profile ? profile_interval(law, best.at, p)
                                             : summarize(fit.values[p], fit.replicates, p, fit.widening)});
    if (profile)
        fit.notes.push_back(
            "errors and intervals of its parameters are those of the sum of squares' profile");
    fit.refused = refuse(law, options, fit);
    if (!fit.refused) warn(law, options, certified, fit);
    return fit;
}

Parameter derived(const ParametricFit& fit, const std::string& name,
                  const std::function<double(std::span<const double> values)>& of) {
    return {name, estimated(fit.values, fit.replicates, of, fit.widening)};
}

}  // namespace isogrid::analysis
