#include "analysis/laws/surface_comparison.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "analysis/laws/surface_likelihood.hpp"
#include "analysis/laws/surface_runs.hpp"

namespace isogrid::analysis {
namespace {

/// Each run's compute, coarse enough for a handful of cuts: budgets where there are few, else the upper edges
/// of equal steps in log C.
std::vector<double> validation_scale(const std::vector<Run>& runs) {
    constexpr std::size_t most = 10;
    std::vector<double> scale;
    for (const Run& run : runs)
        scale.push_back(run.flops);
    double low = scale.front(), high = low;
    for (const double c : scale)
        low = std::min(low, c), high = std::max(high, c);
    std::set<long> different;
    for (const double c : scale)
        different.insert(std::lround(std::log(c) * 1000));
    if (different.size() <= most) return scale;
    const double step = std::log(high / low) / most;
    std::map<int, double> edges;
    const auto bin = [&](double c) {
        return std::min(static_cast<int>(std::log(c / low) / step), int{most} - 1);
    };
    for (const double c : scale)
        edges[bin(c)] = std::max(edges[bin(c)], c);
    for (double& c : scale)
        c = edges[bin(c)];
    return scale;
}

/// A form that could be fitted, and its row in the table.
struct FormOfRow {
    std::size_t row = 0, parameters = 0;
    std::vector<double> residuals;
};

/// Akaike's criterion of each, above the lowest.
void tell_akaike(const std::vector<FormOfRow>& fitted, const Objective& objective, Table& table) {
    if (fitted.empty()) return;
    const FormOfRow& freest =
        *std::max_element(fitted.begin(), fitted.end(),
                          [](const FormOfRow& a, const FormOfRow& b) { return a.parameters < b.parameters; });
    const SupposedErrors errors = errors_of(objective, freest.residuals);
    std::vector<double> criteria;
    for (const FormOfRow& form : fitted)
        criteria.push_back(akaike(errors, form.residuals, form.parameters));
    const double lowest = *std::min_element(criteria.begin(), criteria.end());
    for (std::size_t f = 0; f < fitted.size(); ++f)
        table.rows[fitted[f].row][3] = criteria[f] - lowest;
}

}  // namespace

std::vector<Cut> validate_form(const SurfaceForm& form, const std::vector<Run>& runs,
                               const FitOptions& options) {
    std::vector<double> observed;
    for (const Run& run : runs)
        observed.push_back(run.loss);
    const std::size_t parameters = form.law(runs).model.parameters;
    return expanding_window(validation_scale(runs), observed, parameters + 3,
                            [&](std::span<const std::size_t> fitted) -> std::optional<Predictor> {
                                std::vector<Run> some;
                                for (const std::size_t i : fitted)
                                    some.push_back(runs[i]);
                                const auto values = fit_quickly(form, some, options);
                                if (!values) return std::nullopt;
                                return [&runs, &form, values = *values](std::size_t i) {
                                    return form.loss(values, runs[i].parameters, runs[i].tokens);
                                };
                            });
}

FormComparison compare_forms(const Runs& runs, const FitOptions& options) {
    FormComparison comparison;
    comparison.table = {"forms",
                        std::string("Forms of L(N, D)") +
                            (options.equal_exponents ? ", joint with alpha = beta" : "") +
                            ": fitted parameters, AIC above the lowest, error on runs held out",
                        {{"law", "law", Quantity::text},
                         {"parameters", "fitted", Quantity::number},
                         {"objective", "objective", Quantity::number},
                         {"aic", "AIC", Quantity::number},
                         {"held_out", "held out", Quantity::percent},
                         {"status", "status", Quantity::text}},
                        {}};
    FitOptions quick = options;
    quick.bootstrap = 0;
    quick.intervals = Intervals::bootstrap;
    double best = std::numeric_limits<double>::infinity();
    std::vector<FormOfRow> fitted;
    for (const SurfaceForm& form : surface_forms(options)) {
        const ParametricLaw law = form.law(runs.used);
        const double nan = std::numeric_limits<double>::quiet_NaN();
        const auto row = [&](double objective, double aic, double error, const std::string& status) {
            comparison.table.rows.push_back({std::string(form.name),
                                             static_cast<double>(law.model.parameters), objective, aic, error,
                                             status});
        };
        if (const auto few = too_few_for_surface(runs.used, law.model.parameters)) {
            row(nan, nan, nan, std::string(name(few->kind)));
            continue;
        }
        const ParametricFit found = fit_parametric(law, quick);
        if (found.refused) {
            row(found.minima.empty() ? nan : found.minima.front().value, nan, nan,
                std::string(name(found.refused->kind)));
            continue;
        }
        const double error = held_out_error(validate_form(form, runs.used, options));
        fitted.push_back(
            {comparison.table.rows.size(), law.model.parameters,
             log_residuals(runs.used, [&](double N, double D) { return form.loss(found.values, N, D); })});
        row(found.minima.front().value, nan, error, "ok");
        if (error < best) best = error, comparison.winner = form.name;
    }
    tell_akaike(fitted, options.objective, comparison.table);
    return comparison;
}

}  // namespace isogrid::analysis
