#include "analysis/laws/compare_families.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "analysis/laws/families.hpp"
#include "analysis/laws/isoflop_budgets.hpp"
#include "analysis/laws/surface_runs.hpp"

namespace isogrid::analysis {

Extent FamilyPoints::span() const {
    return extent_of(used, &FamilyPoint::flops);
}

std::size_t FamilyPoints::count(std::size_t family) const {
    return static_cast<std::size_t>(
        std::count_if(used.begin(), used.end(), [&](const FamilyPoint& p) { return p.family == family; }));
}

namespace {

/// Sizes a compute, on average.
double sizes_tried(const std::vector<Run>& runs) {
    std::map<double, std::set<double>> sizes;
    for (const Run& run : runs)
        sizes[counted_flops(run)].insert(run.parameters);
    double sum = 0;
    for (const auto& [flops, some] : sizes)
        sum += static_cast<double>(some.size());
    return sum / static_cast<double>(sizes.size());
}

}  // namespace

FamilyPoints lower_envelopes(const Runs& runs) {
    FamilyPoints points;
    points.families = families_of(runs);
    for (std::size_t family = 0; family < points.families.size(); ++family) {
        std::vector<Run> order = averaged_over_seeds(runs_of_family(runs, points.families[family]).used);
        points.sizes.push_back(sizes_tried(order));
        std::stable_sort(order.begin(), order.end(), [](const Run& a, const Run& b) {
            const double flops_a = counted_flops(a), flops_b = counted_flops(b);
            return flops_a != flops_b ? flops_a < flops_b : a.loss < b.loss;
        });
        double lowest = std::numeric_limits<double>::infinity();
        for (const Run& run : order) {
            if (!(run.loss < lowest)) {
                ++points.left_out;
                continue;
            }
            lowest = run.loss;
            points.used.push_back({family, counted_flops(run), run.loss});
        }
    }
    return points;
}

FamilyPoints budget_minima(const Runs& runs, MinimumBy by) {
    FamilyPoints points;
    points.families = families_of(runs);
    points.minima = true;
    for (std::size_t family = 0; family < points.families.size(); ++family) {
        const Runs of_family = runs_of_family(runs, points.families[family]);
        std::vector<Budget> budgets = gather_budgets(of_family);
        find_minima(budgets);
        double sizes = 0;
        for (const Budget& budget : budgets) {
            sizes += static_cast<double>(budget.loss.size()) / static_cast<double>(budgets.size());
            if (const Bottom& bottom = budget.bottom(by); !bottom.refused)
                points.used.push_back({family, budget.flops, bottom.loss});
        }
        points.sizes.push_back(sizes);
    }
    return points;
}

double FamilyForm::loss(std::span<const double> values, std::size_t family, double flops) const {
    return values[0] + values[a(family)] * std::pow(flops, -values[alpha(family)]);
}

double FamilyForm::multiplier(std::span<const double> values, std::size_t family, double flops) const {
    const double above = std::log(values[a(family)]) - values[alpha(family)] * std::log(flops);
    return std::exp((std::log(values[a(0)]) - above) / values[alpha(0)]) / flops;
}

double FamilyForm::crossing(std::span<const double> values, std::size_t family) const {
    const double slopes = values[alpha(family)] - values[alpha(0)];
    return slopes == 0 ? std::nan("")
                       : std::exp((std::log(values[a(family)]) - std::log(values[a(0)])) / slopes);
}

ParametricLaw law_of(const FamilyForm& form, const std::vector<FamilyPoint>& points,
                     const std::vector<std::string>& names) {
    double lowest = std::numeric_limits<double>::infinity();
    for (const FamilyPoint& point : points)
        lowest = std::min(lowest, point.loss);
    ParametricLaw law;
    law.model.parameters = form.parameters();
    law.model.observations = points.size();
    law.model.residual = [form, points](std::span<const double> at, std::size_t i,
                                        std::span<double> gradient) {
        const FamilyPoint& point = points[i];
        const double x = std::log(point.flops) - form.mean;
        const double power = at[form.a(point.family)] - at[form.alpha(point.family)] * x;
        const double top = std::max(at[0], power);
        const double floor = std::exp(at[0] - top), above = std::exp(power - top), sum = floor + above;
        if (!gradient.empty()) {
            std::fill(gradient.begin(), gradient.end(), 0.0);
            gradient[0] = floor / sum;
            gradient[form.a(point.family)] = above / sum;
            gradient[form.alpha(point.family)] = -x * above / sum;
        }
        return top + std::log(sum) - std::log(point.loss);
    };
    law.parameters.push_back({"E", 1e-3 * lowest, lowest, /*soft=*/true, /*floor=*/true});
    for (const std::string& name : names)
        law.parameters.push_back({"A." + name});
    if (form.shared)
        law.parameters.push_back({"alpha", 0.005, 3});
    else
        for (const std::string& name : names)
            law.parameters.push_back({"alpha." + name, 0.005, 3});
    law.report = [form](std::span<const double> at) {
        std::vector<double> values(at.begin(), at.end());
        values[0] = std::exp(at[0]);
        for (std::size_t f = 0; f < form.families; ++f)
            values[form.a(f)] = std::exp(at[form.a(f)] + at[form.alpha(f)] * form.mean);
        return values;
    };
    for (const double floor : {0.05, 0.3, 0.6, 0.9})
        for (const double above : {0.05, 0.2, 0.6})
            for (const double alpha : {0.03, 0.08, 0.15, 0.3, 0.6}) {
                std::vector<double> start(form.parameters(), alpha);
                start[0] = std::log(lowest * floor);
                std::fill_n(start.begin() + 1, form.families, std::log(lowest * above));
                law.starts.push_back(std::move(start));
            }
    return law;
}

}  // namespace isogrid::analysis
