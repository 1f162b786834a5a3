// The multi-power law as it is fitted to the points of some curves.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "analysis/fit/minimize.hpp"
#include "analysis/laws/schedule_path.hpp"

namespace isogrid::analysis {

/// One run's curve, and its schedule as the law sees it.
struct ScheduledCurve {
    std::string name;
    Schedule schedule;
    std::vector<double> step, loss;  ///< where the loss is known
    std::vector<std::size_t> place;  ///< of those points among the schedule's, which may be more
    SchedulePath path;

    ScheduledCurve(const Run& run, double resolution);

    /// Of the losses at all of the schedule's points, those where the loss is known.
    std::vector<double> at_points(const std::vector<double>& of_schedule) const;
};

/// The curves' points that are fitted, and the law in the coordinates of the optimizer.
struct ScheduleModel {
    std::vector<ScheduledCurve> curves;
    std::vector<std::pair<std::size_t, std::size_t>> points;  ///< curve, place on it
    std::vector<std::size_t> blocks;  ///< neighbours, which do not scatter independently, share a number
    double unit = 0, log_reference = 0;

    explicit ScheduleModel(const std::vector<const Run*>& runs);

    MultiPower evaluation(std::span<const double> at) const;

    /// C, beta and gamma are hardly told apart by few curves: the objective falls a little all the way to
    /// absurd ones, which predict other curves worse. So log C, log beta and gamma are tied to those of the
    /// simplest form, x / (1 + x) with x = S / sqrt(eta), as weakly as by one point each of so large a
    /// scatter.
    static constexpr double tie = 0.01, usual_gamma = 0.5;
    double tied(std::span<const double> at, std::size_t which, std::span<double> gradient) const;

    ResidualModel model() const;

    /// L0, A, alpha, B, C, beta, gamma in the units of the curves.
    std::vector<double> report(std::span<const double> at) const;

    std::vector<std::vector<double>> starts() const;
};

}  // namespace isogrid::analysis
