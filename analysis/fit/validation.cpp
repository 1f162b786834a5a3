#include "analysis/fit/validation.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>

namespace isogrid::analysis {

std::vector<Cut> expanding_window(std::span<const double> scale, std::span<const double> observed,
                                  std::size_t fewest, const FitOnSome& fit) {
    assert(scale.size() == observed.size());
    constexpr double same = 1 + 1e-3;
    std::vector<std::size_t> order(scale.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return scale[a] < scale[b]; });
    std::vector<Cut> cuts;
    for (std::size_t count = fewest; count < order.size(); ++count) {
        const double cut_at = scale[order[count - 1]];
        if (count == 0 || scale[order[count]] <= cut_at * same) continue;
        const auto predict = fit(std::span(order).first(count));
        if (!predict) continue;
        Cut cut{cut_at, count, order.size() - count, std::log10(scale[order.back()] / cut_at), 0, 0, 0};
        for (std::size_t i = count; i < order.size(); ++i) {
            const double error = (*predict)(order[i]) / observed[order[i]] - 1;
            cut.mean_error += std::abs(error) / static_cast<double>(cut.predicted);
            cut.bias += error / static_cast<double>(cut.predicted);
            cut.worst = std::max(cut.worst, std::abs(error));
        }
        cuts.push_back(cut);
    }
    return cuts;
}

std::vector<Cut> line_validation(std::span<const double> scale, std::span<const double> observed,
                                 const std::vector<LinePoint>& points, Weighting weighting,
                                 std::size_t fewest) {
    FitOptions once;
    once.bootstrap = 0;
    return expanding_window(
        scale, observed, fewest, [&](std::span<const std::size_t> fitted) -> std::optional<Predictor> {
            std::vector<LinePoint> some;
            for (const std::size_t i : fitted)
                some.push_back(points[i]);
            const LogLine line = fit_log_line(some, {}, weighting, once);
            if (line.coefficients.empty()) return std::nullopt;
            return [line, &points](std::size_t i) { return std::exp(line.at(points[i].x)); };
        });
}

double mean_error(const std::vector<Cut>& cuts) {
    double sum = 0;
    for (const Cut& cut : cuts)
        sum += cut.mean_error;
    return sum / static_cast<double>(cuts.size());  // 0 / 0 without cuts
}

double held_out_error(const std::vector<Cut>& cuts) {
    if (cuts.empty()) return std::numeric_limits<double>::quiet_NaN();
    for (auto cut = cuts.rbegin(); cut != cuts.rend(); ++cut)
        if (cut->decades >= 1) return cut->mean_error;
    return cuts.front().mean_error;
}

std::vector<double> held_out_errors(const std::vector<std::vector<Cut>>& rivals) {
    const auto shared = [&](const Cut& cut) {
        return std::all_of(rivals.begin(), rivals.end(), [&](const std::vector<Cut>& cuts) {
            return cuts.empty() || std::any_of(cuts.begin(), cuts.end(),
                                               [&](const Cut& other) { return other.cut == cut.cut; });
        });
    };
    std::vector<double> errors;
    for (std::vector<Cut> cuts : rivals) {
        std::erase_if(cuts, [&](const Cut& cut) { return !shared(cut); });
        errors.push_back(held_out_error(cuts));
    }
    return errors;
}

double explained(std::span<const double> observed, std::span<const double> predicted) {
    double mean = 0, total = 0, left = 0;
    for (const double y : observed)
        mean += y / static_cast<double>(observed.size());
    for (std::size_t i = 0; i < observed.size(); ++i) {
        total += (observed[i] - mean) * (observed[i] - mean);
        left += (observed[i] - predicted[i]) * (observed[i] - predicted[i]);
    }
    return 1 - left / total;
}

}  // namespace isogrid::analysis
