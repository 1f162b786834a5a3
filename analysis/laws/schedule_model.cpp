#include "analysis/laws/schedule_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace isogrid::analysis {
namespace {

constexpr double fit_resolution = 20;

}  // namespace

ScheduledCurve::ScheduledCurve(const Run& run, double resolution)
    : name(run.name), schedule(Schedule::of(run)), path(schedule, resolution) {
    for (const CurveSample& sample : run.curve) {
        const auto at = run.rates.empty() ? schedule.step.begin() + std::ssize(place)
                                          : std::ranges::lower_bound(schedule.step, sample.step);
        place.push_back(static_cast<std::size_t>(at - schedule.step.begin()));
        step.push_back(sample.step), loss.push_back(sample.loss);
    }
}

std::vector<double> ScheduledCurve::at_points(const std::vector<double>& of_schedule) const {
    std::vector<double> values;
    for (const std::size_t at : place)
        values.push_back(of_schedule[at]);
    return values;
}

ScheduleModel::ScheduleModel(const std::vector<const Run*>& runs) {
    constexpr std::size_t most = 160, together = 3;
    std::size_t all = 0;
    for (const Run* run : runs) {
        curves.emplace_back(*run, fit_resolution);
        all += run->curve.size();
        unit = std::max(unit, curves.back().schedule.peak());
    }
    const std::size_t stride = std::max<std::size_t>(1, (all + most - 1) / most);
    std::size_t block = 0;
    for (std::size_t c = 0; c < curves.size(); ++c, ++block)
        for (std::size_t i = 0, n = 0; i < curves[c].loss.size(); i += stride, ++n) {
            const double sum = curves[c].path.sum[curves[c].place[i]];
            if (!(sum > 0)) continue;
            if (n > 0 && n % together == 0) ++block;
            points.emplace_back(c, i), blocks.push_back(block);
            log_reference += std::log(sum);
        }
    log_reference /= static_cast<double>(std::max<std::size_t>(points.size(), 1));
}

MultiPower ScheduleModel::evaluation(std::span<const double> at) const {
    return {std::exp(at[0]), std::exp(at[1]), std::exp(at[2]), std::exp(at[3]),
            at[4],           std::exp(at[5]), at[6],           unit,
            log_reference};
}

double ScheduleModel::tied(std::span<const double> at, std::size_t which, std::span<double> gradient) const {
    std::fill(gradient.begin(), gradient.end(), 0.0);
    const double log_unit = std::log(unit);
    if (which == 0) {
        if (!gradient.empty()) gradient[4] = tie, gradient[6] = tie * log_unit;
        return tie * (at[4] + (at[6] - 1) * log_unit);
    }
    if (!gradient.empty()) gradient[which + 4] = tie;
    return tie * (which == 1 ? at[5] : at[6] - usual_gamma);
}

ResidualModel ScheduleModel::model() const {
    return {7, points.size() + 3,
            [this](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                if (i >= points.size()) return tied(at, i - points.size(), gradient);
                const auto& [c, point] = points[i];
                const ScheduledCurve& curve = curves[c];
                const double predicted = evaluation(at)(curve.path, curve.place[point], gradient);
                for (double& slope : gradient)
                    slope /= predicted;
                return predicted > 0 ? std::log(predicted / curve.loss[point])
                                     : std::numeric_limits<double>::quiet_NaN();
            }};
}

std::vector<double> ScheduleModel::report(std::span<const double> at) const {
    const double alpha = std::exp(at[2]), gamma = at[6];
    return {std::exp(at[0]),
            std::exp(at[1] + alpha * log_reference),
            alpha,
            std::exp(at[3]) / unit,
            std::exp(at[4] + (gamma - 1) * std::log(unit)),
            std::exp(at[5]),
            gamma};
}

std::vector<std::vector<double>> ScheduleModel::starts() const {
    double lowest = std::numeric_limits<double>::infinity(), highest = 0;
    for (const auto& [c, i] : points)
        lowest = std::min(lowest, curves[c].loss[i]), highest = std::max(highest, curves[c].loss[i]);
    const double range = std::max(highest - lowest, 1e-6);
    std::vector<std::vector<double>> grid;
    for (const double under : {0.1, 0.5, 1.0})
        for (const double alpha : {0.3, 0.6})
            for (const double drop : {0.05, 0.2})
                for (const double reach : {0.003, 0.03, 0.3})
                    for (const double beta : {0.3, 0.7})
                        for (const double gamma : {0.3, 0.8})
                            grid.push_back({std::log(std::max(lowest - under * range, 0.1 * lowest)),
                                            std::log(0.5 * range), std::log(alpha), std::log(drop * range),
                                            std::log(reach), std::log(beta), gamma});
    return grid;
}

}  // namespace isogrid::analysis
