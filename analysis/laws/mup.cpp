// Does the best learning rate stay where it is as models widen? Yang et al. 2022.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "analysis/extent.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/banded_line.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/laws/sweep.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

/// What the slope of log best learning rate against log width says.
struct Verdict {
    std::string word;  ///< transfers, nearly transfers, does not transfer, undecided
    std::string text;
};

/// Half a power of the width is the line: between transfer (0) and what theory expects of the standard
/// parametrization under Adam (-1).
constexpr double half = 0.5;

Verdict judge(const Estimate& slope) {
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

struct Group {
    std::string name;
    std::vector<std::size_t> usable, refused;  ///< of the sweeps
    LogLine line;
    Estimate slope;
    Verdict verdict;
};

std::vector<Group> gather(const std::vector<Sweep>& sweeps) {
    std::map<std::string, Group> groups;
    for (std::size_t s = 0; s < sweeps.size(); ++s) {
        Group& group = groups[sweeps[s].parametrization];
        group.name = sweeps[s].parametrization;
        (sweeps[s].bowl.refused ? group.refused : group.usable).push_back(s);
    }
    std::vector<Group> all;
    for (auto& [name, group] : groups)
        all.push_back(std::move(group));
    return all;
}

std::size_t widths(const Group& group, const std::vector<Sweep>& sweeps) {
    std::set<double> different;
    for (const std::size_t s : group.usable)
        different.insert(sweeps[s].width);
    return different.size();
}

void fit_slope(Group& group, const std::vector<Sweep>& sweeps, const SweepNoise& noise,
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
            again.back().push_back(bowls[s].refused ? none : bowls[s].vertex[0]);
    }
    group.line = fit_log_line(points, again, Weighting::error, options);
    group.slope = group.line.coefficient(1);
    group.verdict = judge(group.slope);
}

/// `mup` and `mup, 4 layers` as JSON keys.
std::string key_of(const std::string& name) {
    std::string key;
    for (const char letter : name)
        key += std::isalnum(static_cast<unsigned char>(letter)) ? letter : '_';
    return key.empty() ? "runs" : key;
}

Table width_table(const std::vector<Sweep>& sweeps, const std::vector<std::vector<Bowl>>& redrawn) {
    Table table{"widths",
                "Best learning rate of each width",
                {{"parametrization", "parametrization", Quantity::text},
                 {"width", "width", Quantity::tokens},
                 {"points", "points", Quantity::number},
                 {"learning_rate", "learning rate", Quantity::number},
                 {"learning_rate_low", "from", Quantity::number},
                 {"learning_rate_high", "to", Quantity::number},
                 {"loss", "loss", Quantity::loss},
                 {"status", "status", Quantity::text}},
                {}};
    for (std::size_t s = 0; s < sweeps.size(); ++s) {
        const Sweep& sweep = sweeps[s];
        const bool ok = !sweep.bowl.refused;
        const Estimate rate = ok ? best_value(sweep, s, 0, redrawn) : Estimate{};
        table.rows.push_back({sweep.parametrization, sweep.width, static_cast<double>(sweep.places.size()),
                              rate.value, rate.low, rate.high, ok ? std::exp(sweep.bowl.minimum) : none,
                              std::string(ok ? "ok" : name(*sweep.bowl.refused))});
    }
    return table;
}

Table verdict_table(const std::vector<Group>& groups, const std::vector<Sweep>& sweeps) {
    Table table{"verdicts",
                "Does the learning rate transfer across widths?",
                {{"parametrization", "parametrization", Quantity::text},
                 {"widths", "widths", Quantity::number},
                 {"slope", "slope", Quantity::number},
                 {"slope_low", "from", Quantity::number},
                 {"slope_high", "to", Quantity::number},
                 {"verdict", "verdict", Quantity::text}},
                {}};
    for (const Group& group : groups)
        table.rows.push_back({group.name, static_cast<double>(widths(group, sweeps)), group.slope.value,
                              group.slope.low, group.slope.high, group.verdict.word});
    return table;
}

/// The best learning rate of the wider models from that of the narrower, one parametrization below another.
Table width_validation(const std::vector<Group>& groups, const std::vector<Sweep>& sweeps) {
    constexpr std::size_t fewest_widths = 2;  // determine a line; the third is there to be predicted
    Table all = validation_table({}, {"width", "fitted up to width", Quantity::tokens}, "learning rate");
    all.columns.insert(all.columns.begin(), {"parametrization", "parametrization", Quantity::text});
    for (const Group& group : groups) {
        std::vector<double> width, best;
        for (const std::size_t s : group.usable)
            width.push_back(sweeps[s].width), best.push_back(std::exp(sweeps[s].bowl.vertex[0]));
        std::vector<LinePoint> points;
        for (std::size_t i = 0; i < width.size(); ++i)
            points.push_back({{std::log(width[i])}, std::log(best[i])});
        const auto cuts = line_validation(width, best, points, Weighting::equal, fewest_widths);
        for (auto& row : validation_table(cuts, all.columns[1], "").rows) {
            row.insert(row.begin(), group.name);
            all.rows.push_back(std::move(row));
        }
    }
    return all;
}

Figure bowls_figure(const Group& group, const std::vector<Sweep>& sweeps) {
    Figure figure{
        "mup-" + key_of(group.name),
        group.name + ": best learning rate by width",
        "Final loss against the learning rate, one colour a width; a diamond marks the minimum of the "
        "quadratic through the filled points. Under a parametrization that transfers the diamonds stand "
        "above one another. Rings lie too far from the minimum; crosses belong to widths without a usable "
        "one. Losses far above the curves are not shown.",
        {"peak learning rate", Quantity::number, true},
        {"validation loss (nats a token)", Quantity::loss, false},
        {}};
    if (!group.verdict.word.empty())
        figure.title = group.name + ": the best learning rate " +
                       (group.verdict.word == "transfers"           ? "stays where it is as models widen"
                        : group.verdict.word == "nearly transfers"  ? "moves little as models widen"
                        : group.verdict.word == "does not transfer" ? "moves as models widen"
                                                                    : "may or may not move as models widen");
    figure.legend = "width";
    std::vector<Sweep> shown;
    for (std::size_t s = 0; s < sweeps.size(); ++s)
        if (sweeps[s].parametrization == group.name) shown.push_back(sweeps[s]);
    std::stable_sort(shown.begin(), shown.end(), [](auto& a, auto& b) { return a.width < b.width; });
    const double least = shown.front().width, most = shown.back().width;
    for (const Sweep& sweep : shown)
        draw_sweep(sweep, 0, format_significant(sweep.width, 6),
                   most > least ? std::log(sweep.width / least) / std::log(most / least) : 0.5, figure);
    cut_high_losses(shown, figure);
    return figure;
}

Figure slopes_figure(const std::vector<Group>& groups, const std::vector<Sweep>& sweeps,
                     const std::vector<std::vector<Bowl>>& redrawn) {
    Figure figure{
        "mup-slopes",
        "How the best learning rate moves with width",
        "Best learning rate of each width with its 95% interval, and its power law in the width with a 95% "
        "band. Level: a learning rate tuned on a narrow model suits a wide one.",
        {"width", Quantity::tokens, true},
        {"best learning rate", Quantity::number, true},
        {}};
    int ink = 0;
    for (const Group& group : groups) {
        ++ink;
        if (group.line.coefficients.empty()) continue;
        Extent widths;
        Series points{"", Mark::points, std::nullopt, ink, {}, {}, {}};
        std::vector<std::pair<double, Estimate>> bars;
        for (const std::size_t s : group.usable) {
            const double width = sweeps[s].width;
            widths.add(width);
            const Estimate best = best_value(sweeps[s], s, 0, redrawn);
            points.x.push_back(width), points.y.push_back(best.value);
            bars.emplace_back(width, best);
        }
        BandedLine line(group.name + ", slope " + format_significant(group.slope.value, 2), std::nullopt,
                        ink);
        for (int step = 0; step <= 40; ++step) {
            const std::array x = {std::log(widths.low / 1.1) +
                                  std::log(1.21 * widths.high / widths.low) * step / 40};
            line.add(std::exp(x[0]), group.line.estimate(x));
        }
        line.draw_into(figure);
        for (const auto& [width, best] : bars)
            draw_interval(width, best, std::nullopt, ink, figure);
        figure.series.push_back(std::move(points));
    }
    return figure;
}

}  // namespace

LawFit fit_mup(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "mup";
    fit.redrawn = "losses, as far as they lie off the quadratic of their sweep";
    fit.objective = "squares of log loss";
    std::vector<Run> known;
    for (const Run& run : runs.used)
        if (run.width && run.learning_rate) known.push_back(run);
    std::vector<Sweep> sweeps = gather_sweeps(known, Sweeping::learning_rate);
    std::erase_if(sweeps, [](const Sweep& sweep) { return !sweep.learning_rate_swept; });
    std::stable_sort(sweeps.begin(), sweeps.end(), [](const Sweep& a, const Sweep& b) {
        return std::tie(a.parametrization, a.width) < std::tie(b.parametrization, b.width);
    });
    if (sweeps.empty()) {
        fit.refused =
            Reason{Refusal::too_few_runs,
                   "no two runs of one width differ in their learning rate alone (a sweep needs three "
                   "learning rates) sweep the learning rate at three widths or more"};
        return fit;
    }
    const SweepNoise noise = sweep_noise(sweeps);
    tell_sweeps(sweeps, fit);
    const auto redrawn = redraw_sweeps(sweeps, noise, options);
    std::vector<Group> groups = gather(sweeps);
    bool any = false;
    for (Group& group : groups) {
        const std::size_t count = widths(group, sweeps);
        if (count < 2 || (count < 3 && !(noise.freedom > 0))) {
            group.verdict = {"undecided", std::to_string(count) +
                                              " widths show a best learning rate (3 are "
                                              "needed) add widths"};
            continue;
        }
        any = true;
        fit_slope(group, sweeps, noise, redrawn, options);
        fit.parameters.push_back({key_of(group.name) + "_slope", group.slope});
        fit.derived.push_back({key_of(group.name) + "_coefficient", group.line.scale()});
    }
    for (const Group& group : groups) {
        fit.notes.push_back(group.name + (group.name.empty() ? "" : " ") + group.verdict.word + ": " +
                            group.verdict.text);
        fit.figures.push_back(bowls_figure(group, sweeps));
    }
    fit.tables.push_back(width_table(sweeps, redrawn));
    if (!any) {
        fit.refused =
            Reason{Refusal::too_few_runs,
                   "no parametrization has three widths with a best learning rate inside the ones tried "
                   "(a slope needs them) sweep more widths or learning rates"};
        return fit;
    }
    fit.tables.push_back(verdict_table(groups, sweeps));
    if (Table validation = width_validation(groups, sweeps); !validation.rows.empty())
        fit.tables.push_back(std::move(validation));
    fit.figures.push_back(slopes_figure(groups, sweeps, redrawn));
    fit.notes.push_back(
        "under Adam, theory expects a slope of 0 with muP and of about -1 in the standard "
        "parametrization (Yang et al. 2022)");
    return fit;
}

}  // namespace isogrid::analysis
