#include "analysis/laws/schedule_path.hpp"

#include <algorithm>
#include <cmath>

namespace isogrid::analysis {

SchedulePath::SchedulePath(const Schedule& schedule, double resolution) {
    const auto& step = schedule.step;
    const auto& rate = schedule.learning_rate;
    const double peak = schedule.peak();
    double total = 0.5 * step.front() * rate.front(), pending = 0, middle = 0;
    const int rungs = std::max(1, static_cast<int>(std::min(resolution, 8.0) * rate.front() / peak));
    for (int k = 0; k < rungs && step.front() > 0; ++k) {  // warm-up, in equal rises
        const double share = (k + 0.5) / rungs;
        changes.push_back(
            {-rate.front() / rungs, std::log((k + 1.0) / rungs * rate.front()), total * share * share, 0});
    }
    if (!(step.front() > 0)) changes.push_back({-rate.front(), std::log(rate.front()), 0, 0});
    sum.push_back(total);
    const auto turn = [&](double to, std::size_t at) {
        changes.push_back({pending, std::log(std::max(to, 1e-6 * peak)), middle / pending, at});
        pending = middle = 0;
    };
    for (std::size_t i = 1; i < step.size(); ++i) {
        const double fall = rate[i - 1] - rate[i], width = step[i] - step[i - 1];
        const bool jump = schedule.jumps_to(i);
        const double before = total;
        total += width * (jump ? rate[i - 1] : 0.5 * (rate[i - 1] + rate[i]));
        if (pending != 0 && (jump || pending * fall < 0)) turn(rate[i - 1], i);
        pending += fall, middle += fall * (jump ? total : 0.5 * (before + total));
        if (pending != 0 && (jump || std::abs(pending) * resolution >= peak || i + 1 == step.size()))
            turn(rate[i], i);
        sum.push_back(total);
    }
}

double MultiPower::operator()(const SchedulePath& path, std::size_t i, std::span<double> gradient) const {
    const double log_sum = std::log(path.sum[i]) - log_reference;
    const double power = a * std::exp(-alpha * log_sum);
    const double log_unit = std::log(unit);
    double drop = 0, by_c = 0, by_beta = 0, by_gamma = 0;
    for (const RateChange& change : path.changes) {
        if (change.from > i) break;
        const double since = path.sum[i] - change.sum;
        if (!(since > 0)) continue;
        const double log_rate = change.log_rate - log_unit;
        const double x = std::exp(log_c - gamma * log_rate) * since / unit;
        const double log_w = std::log1p(x), rest = std::exp(-beta * log_w), fall = change.fall / unit;
        drop += fall * (1 - rest);
        if (gradient.empty()) continue;
        const double slope = fall * beta * rest * x / (1 + x);
        by_c += slope, by_gamma -= slope * log_rate, by_beta += fall * beta * rest * log_w;
    }
    if (!gradient.empty()) {
        gradient[0] = floor, gradient[1] = power, gradient[2] = -alpha * log_sum * power;
        gradient[3] = -b * drop, gradient[4] = -b * by_c, gradient[5] = -b * by_beta;
        gradient[6] = -b * by_gamma;
    }
    return floor + power - b * drop;
}

}  // namespace isogrid::analysis
