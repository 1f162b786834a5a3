#include "analysis/laws/mixture_best.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace isogrid::analysis {
namespace {

/// The nearest mixture to `wanted` within the shares tried: each share moved by the same amount and then cut,
/// so that they add up to 1 (the projection on a box and a plane). The move is looked for from where all
/// shares are at their lowest, which add up to 1 or less, to where all are at their highest: however far off
/// `wanted` lies, the plane is between.
Shares project(const Shares& wanted, const Mixtures& data) {
    double low = 0, high = 0;
    for (std::size_t j = 0; j < wanted.size(); ++j) {
        low = std::min(low, data.low[j] - wanted[j]);
        high = std::max(high, data.high[j] - wanted[j]);
    }
    Shares shares(wanted.size());
    for (int round = 0; round < 60; ++round) {
        const double move = 0.5 * (low + high);
        double sum = 0;
        for (std::size_t j = 0; j < wanted.size(); ++j)
            sum += shares[j] = std::clamp(wanted[j] + move, data.low[j], data.high[j]);
        (sum > 1 ? high : low) = move;
    }
    return shares;
}

/// A share lies between 0 and 1: longer steps reach nothing new.
constexpr double longest = 1;

}  // namespace

Shares best_mixture(const LossOfShares& loss, const Mixtures& data, const std::vector<Shares>& starts) {
    Shares best = starts.front();
    for (const Shares& start : starts) {
        Shares here = project(start, data);
        double value = loss(here), step = 1;
        for (int round = 0; round < 200 && step > 1e-7; ++round) {
            Shares slope(here.size());
            double steepest = 0;
            for (std::size_t j = 0; j < here.size(); ++j) {
                Shares moved = here;
                moved[j] += 1e-5;
                slope[j] = (loss(moved) - value) / 1e-5;
            }
            const double mean =
                std::accumulate(slope.begin(), slope.end(), 0.0) / static_cast<double>(slope.size());
            for (double& s : slope)
                s -= mean, steepest = std::max(steepest, std::abs(s));
            if (!(steepest > 0)) break;
            while (step > 1e-7) {
                Shares moved = here;
                for (std::size_t j = 0; j < here.size(); ++j)
                    moved[j] -= step * slope[j] / steepest;
                moved = project(moved, data);
                if (const double lower = loss(moved); lower < value) {
                    here = moved, value = lower, step = std::min(1.5 * step, longest);
                    break;
                }
                step *= 0.5;
            }
        }
        if (value < loss(best)) best = here;
    }
    return best;
}

std::vector<Shares> corners_and_best(const Mixtures& data, const LossOfShares& loss) {
    std::vector<std::size_t> order(data.runs.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return loss(data.shares[a]) < loss(data.shares[b]);
    });
    std::vector<Shares> starts;
    for (std::size_t k = 0; k < std::min<std::size_t>(order.size(), 3); ++k)
        starts.push_back(data.shares[order[k]]);
    for (std::size_t j = 0; j < data.sources.size(); ++j) {
        Shares corner(data.sources.size(), 0);
        corner[j] = 1;
        starts.push_back(project(corner, data));
    }
    return starts;
}

}  // namespace isogrid::analysis
