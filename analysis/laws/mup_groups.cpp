#include "analysis/laws/mup_groups.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/alike.hpp"

namespace isogrid::analysis {
namespace {

/// Half a power of the width is the line: between transfer (0) and what theory expects of the standard
/// parametrization under Adam (-1).
constexpr double half = 0.5;

TransferVerdict judge(const Estimate& slope) {
    if (!std::isfinite(slope.low)) return {"undecided", "no interval"};
    const std::string interval =
        "[" + format_significant(slope.low, 2) + ", " + format_significant(slope.high, 2) + "]";
    const bool holds_zero = slope.low <= 0 && slope.high >= 0;
    if (holds_zero && slope.low > -half && slope.high < half)
        return {"transfers",
                "the interval " + interval + " holds 0 and stays within half a power of the width"};
    if (!holds_zero) {
        const double ten = std::pow(10.0, slope.value);
        if (slope.low > -half && slope.high < half)
            return {"nearly transfers",
                    "the interval " + interval +
                        " excludes 0 but stays within half a power of the width: the best "
                        "learning rate changes by a factor of " +
                        format_significant(ten, 2) + " as the width grows tenfold"};
        return {"does not transfer", "the interval " + interval +
                                         " excludes 0: the best learning rate changes by a factor of " +
                                         format_significant(ten, 2) + " as the width grows tenfold"};
    }
    return {"undecided", "the interval " + interval +
                             " holds 0 but reaches beyond half a power of the width: add "
                             "widths, learning rates or seeds"};
}

/// Whether all widths have the same values of a sweep's number.
bool alike_across_widths(const MupGroup& group, const std::vector<Sweep>& sweeps, double Sweep::*number) {
    std::map<double, std::vector<double>> by_width;
    for (const std::size_t s : group.usable)
        by_width[sweeps[s].width].push_back(sweeps[s].*number);
    for (auto& [width, values] : by_width) {
        std::sort(values.begin(), values.end());
        const std::vector<double>& first = by_width.begin()->second;
        if (!std::equal(values.begin(), values.end(), first.begin(), first.end(), alike)) return false;
    }
    return true;
}

}  // namespace

std::vector<MupGroup> mup_groups(const std::vector<Sweep>& sweeps) {
    std::map<std::string, MupGroup> groups;
    for (std::size_t s = 0; s < sweeps.size(); ++s) {
        MupGroup& group = groups[sweeps[s].parametrization];
        group.name = sweeps[s].parametrization;
        (sweeps[s].bowl.refused ? group.refused : group.usable).push_back(s);
    }
    std::vector<MupGroup> all;
    for (auto& [name, group] : groups)
        all.push_back(std::move(group));
    return all;
}

std::size_t widths_of(const MupGroup& group, const std::vector<Sweep>& sweeps) {
    std::set<double> different;
    for (const std::size_t s : group.usable)
        different.insert(sweeps[s].width);
    return different.size();
}

std::optional<Reason> differs_beside_width(const MupGroup& group, const std::vector<Sweep>& sweeps) {
    const bool tokens = !alike_across_widths(group, sweeps, &Sweep::tokens),
               batches = !alike_across_widths(group, sweeps, &Sweep::batch);
    if (!tokens && !batches) return std::nullopt;
    const std::string what = tokens && batches ? "tokens and batches" : tokens ? "tokens" : "batches";
    return Reason{
        Refusal::mixed_conventions,
        (group.name.empty() ? "" : group.name + ": ") + "the widths differ in their " + what +
            " (the best learning rate moves with those too, and the slope puts it down to the width) "
            "compare widths of equal " +
            what};
}

void fit_slope(MupGroup& group, const std::vector<Sweep>& sweeps, const SweepNoise& noise,
               const std::vector<std::vector<Bowl>>& redrawn, const FitOptions& options) {
    std::vector<LinePoint> points;
    for (const std::size_t s : group.usable)
        points.push_back({{std::log(sweeps[s].width)},
                          sweeps[s].bowl.vertex[0],
                          noise.deviation * noise.deviation * sweeps[s].bowl.vertex_variance[0]});
    std::vector<std::vector<double>> again;
    for (const auto& bowls : redrawn) {
        again.emplace_back();
        for (const std::size_t s : group.usable)
            again.back().push_back(bowls[s].refused ? std::numeric_limits<double>::quiet_NaN()
                                                    : bowls[s].vertex[0]);
    }
    group.line = fit_log_line(points, again, Weighting::error, options);
    group.slope = group.line.coefficient(1);
    group.verdict = judge(group.slope);
}

std::string json_key(const std::string& name) {
    std::string key;
    for (const char letter : name)
        key += std::isalnum(static_cast<unsigned char>(letter)) ? letter : '_';
    return key.empty() ? "runs" : key;
}

}  // namespace isogrid::analysis
