#include "analysis/laws/other_variable.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/alike.hpp"
#include "analysis/laws/surface_form.hpp"
#include "analysis/laws/surface_runs.hpp"
#include "analysis/laws/sweep.hpp"

namespace isogrid::analysis {
namespace {

/// The joint law of those runs that know both variables.
std::optional<JointLaw> joint_law_of(const std::vector<Run>& all, const FitOptions& options) {
    std::vector<Run> both;
    for (const Run& run : averaged_over_seeds(all))
        if (run.parameters > 0 && run.tokens > 0) both.push_back(run);
    const SurfaceForm form = surface_forms(options).front();
    const auto values = fit_quickly(form, best_of_sweeps(both), options);
    if (!values) return std::nullopt;
    return form.core(*values);
}

}  // namespace

const OtherVariable data_beside_size{
    "sizes",
    "tokens",
    "size alone",
    "train the sizes on one amount of data, or take joint, and compute for a ladder of the best sizes",
    Quantity::tokens,
    &Run::tokens,
    [](const JointLaw& law, double tokens) { return law.B * std::pow(tokens, -law.beta); }};

const OtherVariable size_beside_data{
    "amounts of data",
    "sizes",
    "data alone",
    "train one size on more amounts of data, or take joint, and compute for a ladder of the best sizes",
    Quantity::parameters,
    &Run::parameters,
    [](const JointLaw& law, double parameters) { return law.A * std::pow(parameters, -law.alpha); }};

std::optional<Reason> moved_by_the_other(const std::vector<const Run*>& ladder, const OtherVariable& other,
                                         const std::vector<Run>& all, const FitOptions& options) {
    constexpr double much = 0.1, apart = 1.5;  // of the losses' span; as a factor
    const auto [lowest, highest] =
        std::ranges::minmax_element(ladder, {}, [&](const Run* run) { return run->*other.of; });
    const double low = (*lowest)->*other.of, high = (*highest)->*other.of;
    if (!(low > 0) || alike(low, high)) return std::nullopt;
    const auto [best, worst] = std::ranges::minmax_element(ladder, {}, &Run::loss);
    const double span = (*worst)->loss - (*best)->loss;
    const auto law = joint_law_of(all, options);
    const double moved = law ? other.term(*law, low) - other.term(*law, high) : span;
    if (law ? moved <= much * span : high <= apart * low) return std::nullopt;
    const std::string between = "the " + std::string(other.name) + " of these " + std::string(other.ladder) +
                                " differ, " + format_quantity(low, other.quantity) + " to " +
                                format_quantity(high, other.quantity);
    const std::string part =
        law ? ", which by the joint law moves their losses by " + format_significant(moved, 2) + " of the " +
                  format_significant(span, 2) + " that they span"
            : ", and no joint law of these runs says what part of their losses is theirs";
    return Reason{Refusal::not_separable, between + part + " (so a curve through them is no law of " +
                                              std::string(other.law) + ") " + std::string(other.remedy)};
}

}  // namespace isogrid::analysis
