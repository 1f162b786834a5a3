// Does the best learning rate stay where it is as models widen? Yang et al. 2022.
#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "analysis/figures/numbers.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/laws/mup_figures.hpp"
#include "analysis/laws/mup_groups.hpp"

namespace isogrid::analysis {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

Table width_table(const std::vector<Sweep>& sweeps, const std::vector<std::vector<Bowl>>& redrawn) {
    Table table{"widths",
                "Best learning rate of each width",
                {{"parametrization", "parametrization", Quantity::text},
                 {"width", "width", Quantity::tokens},
                 {"points", "points", Quantity::number},
                 {"fitted", "fitted", Quantity::number},
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
                              ok ? static_cast<double>(sweep.bowl.fitted.size()) : none, rate.value, rate.low,
                              rate.high, ok ? std::exp(sweep.bowl.minimum) : none,
                              std::string(ok ? "ok" : name(*sweep.bowl.refused))});
    }
    return table;
}

Table verdict_table(const std::vector<MupGroup>& groups, const std::vector<Sweep>& sweeps) {
    Table table{"verdicts",
                "Does the learning rate transfer across widths?",
                {{"parametrization", "parametrization", Quantity::text},
                 {"widths", "widths", Quantity::number},
                 {"slope", "slope", Quantity::number},
                 {"slope_low", "from", Quantity::number},
                 {"slope_high", "to", Quantity::number},
                 {"verdict", "verdict", Quantity::text}},
                {}};
    for (const MupGroup& group : groups)
        table.rows.push_back({group.name, static_cast<double>(widths_of(group, sweeps)), group.slope.value,
                              group.slope.low, group.slope.high, group.verdict.word});
    return table;
}

/// The best learning rate of the wider models from that of the narrower, one parametrization below another.
void tell_width_validation(const std::vector<MupGroup>& groups, const std::vector<Sweep>& sweeps,
                           LawFit& fit) {
    constexpr std::size_t fewest_widths = 2;  // determine a line; the third is there to be predicted
    Table all = validation_table({}, {"width", "fitted up to width", Quantity::tokens}, "learning rate");
    all.columns.insert(all.columns.begin(), {"parametrization", "parametrization", Quantity::text});
    for (const MupGroup& group : groups) {
        std::vector<double> width, best;
        for (const std::size_t s : group.usable)
            width.push_back(sweeps[s].width), best.push_back(std::exp(sweeps[s].bowl.vertex[0]));
        std::vector<LinePoint> points;
        for (std::size_t i = 0; i < width.size(); ++i)
            points.push_back({{std::log(width[i])}, std::log(best[i])});
        const auto cuts = line_validation(width, best, points, Weighting::equal, fewest_widths);
        if (!cuts.empty()) fit.held_out.push_back({"learning rate of " + group.name, mean_error(cuts)});
        for (auto& row : validation_table(cuts, all.columns[1], "").rows) {
            row.insert(row.begin(), group.name);
            all.rows.push_back(std::move(row));
        }
    }
    if (!all.rows.empty()) fit.tables.push_back(std::move(all));
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
    std::vector<MupGroup> groups = mup_groups(sweeps);
    bool any = false;
    for (MupGroup& group : groups) {
        const std::size_t count = widths_of(group, sweeps);
        if (count < 2 || (count < 3 && !(noise.freedom > 0))) {
            group.verdict = {"undecided", std::to_string(count) +
                                              " widths show a best learning rate (3 are "
                                              "needed) add widths"};
            continue;
        }
        any = true;
        fit_slope(group, sweeps, noise, redrawn, options);
        if (auto differs = differs_beside_width(group, sweeps)) fit.warnings.push_back(std::move(*differs));
        fit.parameters.push_back({json_key(group.name) + "_slope", group.slope});
        fit.derived.push_back({json_key(group.name) + "_coefficient", group.line.scale()});
    }
    for (const MupGroup& group : groups) {
        fit.notes.push_back(group.name + (group.name.empty() ? "" : " ") + group.verdict.word + ": " +
                            group.verdict.text);
        fit.figures.push_back(mup_bowls_figure(group, sweeps));
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
    tell_width_validation(groups, sweeps, fit);
    fit.figures.push_back(mup_slopes_figure(groups, sweeps, redrawn));
    fit.notes.push_back(
        "under Adam, theory expects a slope of 0 with muP and of about -1 in the standard "
        "parametrization (Yang et al. 2022)");
    return fit;
}

}  // namespace isogrid::analysis
