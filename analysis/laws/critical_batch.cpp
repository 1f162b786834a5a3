// The critical batch size of McCandlish et al. 2018, a size and a target loss at a time, and its laws.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/critical_batch_figures.hpp"
#include "analysis/laws/critical_batch_laws.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/laws/steps_law.hpp"
#include "analysis/runs/check_runs.hpp"

namespace isogrid::analysis {
namespace {

void tell_laws(const std::vector<BatchLaw>& laws, LawFit& fit) {
    for (const BatchLaw& law : laws) {
        const std::string key = law.in->key;
        auto& where = key == "parameters" ? fit.parameters : fit.derived;
        if (key == "loss") {  // as Kaplan et al. write it
            where.push_back({"loss_coefficient", law.line.scale()});
            where.push_back({"alpha_B", estimated(law.line.coefficients, law.line.replicates,
                                                  [](const auto& c) { return -1 / c[1]; })});
            continue;
        }
        const std::string prefix = key == "parameters" ? "" : key + "_";
        where.push_back({prefix + "coefficient", law.line.scale()});
        where.push_back({prefix + "exponent", law.line.coefficient(1)});
        if (key != "parameters") continue;
        where.push_back({"overhead_coefficient", law.overhead_line.scale()});
        where.push_back({"overhead_exponent", law.overhead_line.coefficient(1)});
    }
}

/// Targets of the job that no size has three batches for.
void tell_missed_targets(const Runs& runs, const std::vector<BatchCell>& cells, LawFit& fit) {
    double lowest = std::numeric_limits<double>::infinity();
    for (const Run& run : runs.used)
        for (const CurveSample& sample : run.curve)
            lowest = std::min(lowest, sample.loss);
    for (const double target : runs.target_losses) {
        const bool met = std::any_of(cells.begin(), cells.end(),
                                     [&](const BatchCell& cell) { return cell.loss == target; });
        if (met) continue;
        fit.warnings.push_back(
            {Refusal::too_few_runs,
             "the target " + format_significant(target, 5) +
                 " is passed by fewer than 3 batches of any size (" +
                 (target < lowest ? "the lowest loss seen is " + format_significant(lowest, 5)
                                  : std::string("others do not come to it, or have met it before their first "
                                                "evaluation")) +
                 ") change the target, or train for more tokens"});
    }
}

/// Beside each critical batch its noise scale, and whether they are within a factor of 2 of each other.
void tell_noise_scales(const std::vector<BatchCell>& cells, LawFit& fit) {
    constexpr double near = 2;
    std::vector<double> ratios;
    std::size_t inside = 0;
    bool at_target = true;
    std::string beyond;
    for (const BatchCell& cell : cells) {
        if (!std::isfinite(cell.noise_scale)) continue;
        const double ratio = cell.law.critical() / cell.noise_scale;
        ratios.push_back(ratio);
        at_target = at_target && cell.noise_at_target;
        const bool is_near = ratio <= near && ratio >= 1 / near;
        inside += is_near;
        if (!is_near)
            beyond += (beyond.empty() ? "" : ", ") + describe(cell) + " (" + format_significant(ratio, 3) +
                      " times)";
    }
    if (ratios.empty()) return;
    const std::string of = std::to_string(ratios.size());
    fit.notes.push_back("the critical batch is " + format_significant(median(ratios), 3) +
                        " times the measured gradient noise scale (median of " + of +
                        " cells; McCandlish et al. 2018 " + "expect a factor near 1; the noise is that " +
                        (at_target ? "about the loss of each target"
                                   : "of the second half of each run, whatever the target") +
                        "). It is within a factor of 2 of it in " +
                        (inside == ratios.size()
                             ? "all " + of
                             : std::to_string(inside) + " of " + of + " cells, and not for " + beyond));
}

/// Table, validation, pictures and scatter of each law.
void show_laws(const std::vector<BatchLaw>& laws, const std::vector<BatchCell>& usable,
               const RedrawnSteps& redrawn, const FitOptions& options, LawFit& fit) {
    fit.tables.push_back(law_table(laws));
    for (const BatchLaw& law : laws) {
        if (&law == &laws.front())
            tell_validation(law.cuts, {law.in->key, law.in->symbol, law.in->quantity}, "critical batch", fit);
        if (std::string_view(law.in->key) != "examples")
            fit.figures.push_back(law_figure(law, usable, redrawn, options.overhead_from));
        if (law.line.few_groups)
            fit.notes.push_back(std::string("the law in ") + law.in->symbol +
                                " is of too few sizes to show how far a size moves all of its critical "
                                "batches: its interval takes each for itself");
        if (law.line.scattered)
            fit.notes.push_back("the critical batches scatter " +
                                format_significant(100 * law.line.deviation, 2) + "% about the law in " +
                                law.in->symbol +
                                ", more than the noise of the steps explains; its interval is that of the "
                                "scatter");
    }
}

void tell_family(const std::vector<BatchCell>& cells, LawFit& fit) {
    const std::string family = family_of_laws(cells);
    if (std::any_of(cells.begin(), cells.end(), [&](const BatchCell& cell) { return cell.family != family; }))
        fit.notes.push_back("the laws of the critical batch are those of " +
                            (family.empty() ? std::string("the runs of no family") : family) +
                            " alone (those of different families do not follow one law; --where keeps the "
                            "others)");
}

void tell_how_to_read(const Runs& runs, bool from_curves, std::size_t laws, const FitOptions& options,
                      LawFit& fit) {
    if (laws > 1)
        fit.notes.push_back(
            "size, examples and loss move together in such runs: that the critical batch follows one of them "
            "does not show that it is the cause (Zhang et al. 2024 find the data behind it)");
    if (from_curves)
        fit.notes.push_back(std::string("steps to each target are read off the smoothed training curves: ") +
                            (runs.target_losses.empty()
                                 ? "the lowest loss that every batch reaches, and those after a half "
                                   "and a quarter of its examples"
                                 : "the targets that the job names") +
                            ". Under a decaying learning rate targets before the end are reached late");
    fit.notes.push_back(
        "batches are in the unit of the runs. At the critical batch twice the least examples and twice the "
        "least steps are needed; the batch of 20% overhead needs 20% more examples than linear scaling " +
        (options.overhead_from > 0
             ? "from a batch of " + format_count(options.overhead_from) + " would"
             : std::string("would (measure it from a given batch with --overhead-from)")));
}

void warn_of_batches_outside(const std::vector<BatchCell>& usable, LawFit& fit) {
    for (const BatchCell& cell : usable)
        if (!cell.inside_batches())
            fit.warnings.push_back(
                {Refusal::edge_minimum,
                 describe(cell) + ": the critical batch, " + format_count(cell.law.critical()) +
                     ", lies outside the batches tried (it hangs on a slight bend) try batches around it"});
}

/// The batch of 20% overhead at a size, an amount of data (for Emin) or a loss.
void recommend_batches(const std::vector<BatchLaw>& laws, const Runs& runs, LawFit& fit) {
    const std::optional<double> unit = tokens_per_batch_unit(runs);
    for (const BatchLaw& law : laws) {
        const std::string_view key = law.in->key;
        if (key == "examples" && !unit) continue;  // what D is in the unit of the batch is not known
        fit.batch_rules.push_back(
            {law.in->symbol,
             [line = law.overhead_line, key, unit](double parameters, double tokens, double loss) {
                 const double at = key == "parameters" ? parameters : key == "loss" ? loss : tokens / *unit;
                 return line.estimate(std::array{std::log(at)});
             },
             law.held_out});
    }
}

/// The cells that show a critical batch; of the others a warning says why not.
std::vector<BatchCell> usable_of(std::vector<BatchCell>& cells, const StepsNoise& noise, LawFit& fit) {
    std::vector<BatchCell> usable;
    fit.objective_value = 0;
    for (BatchCell& cell : cells) {
        refuse_if_unbounded(cell, noise);
        if (cell.refused)
            fit.warnings.push_back(*cell.refused);
        else
            usable.push_back(cell), fit.objective_value += cell.law.squares;
    }
    return usable;
}

/// Too few cells for a law: of a single one its own numbers are what there is to say.
void tell_cells_alone(const std::vector<BatchCell>& usable, const RedrawnSteps& redrawn, LawFit& fit) {
    if (usable.size() == 1)
        for (const auto& [label, of] : {std::pair{"steps_min", &StepsLaw::steps_min},
                                        {"examples_min", &StepsLaw::examples_min},
                                        {"critical_batch", &StepsLaw::critical}})
            fit.parameters.push_back({label, estimate(usable.front(), redrawn, 0, of)});
    const std::string family = family_of_laws(usable);
    const auto of_family = std::count_if(usable.begin(), usable.end(),
                                         [&](const BatchCell& cell) { return cell.family == family; });
    fit.warnings.push_back(
        {Refusal::too_few_runs,
         std::to_string(of_family) + (family.empty() ? " cells" : " cells of " + family) +
             " show a critical batch (3 are needed for a law of it) add model sizes or target losses"});
}

}  // namespace

LawFit fit_critical_batch(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "critical_batch";
    fit.redrawn = "steps, as far as they lie off the law of their cell";
    fit.objective = "squares of log steps";
    std::vector<BatchCell> cells = cells_of_targets(runs.used);
    const bool from_curves = cells.empty();
    if (from_curves) {
        cells = cells_of_curves(runs.used, runs.target_losses);
        tell_missed_targets(runs, cells, fit);
    }
    if (cells.empty()) {
        fit.refused = Reason{Refusal::too_few_runs,
                             "no model size has three batches that reach one loss (steps to a target loss "
                             "must be known, or training curves with steps) run three batches or more"};
        return fit;
    }
    const StepsNoise noise = pooled_noise(cells);
    const std::vector<BatchCell> usable = usable_of(cells, noise, fit);
    const RedrawnSteps redrawn = redraw_steps(usable, noise, options);
    fit.figures.push_back(steps_figure(cells));
    fit.tables.push_back(cell_table(cells, usable, redrawn, options.overhead_from));
    if (usable.empty()) {
        fit.refused = Reason{Refusal::unbounded, "0 of " + std::to_string(cells.size()) +
                                                     " cells show a critical batch (their batches all lie on "
                                                     "one side of it) see the warnings"};
        return fit;
    }
    tell_noise_scales(usable, fit);
    const std::vector<BatchLaw> laws = fit_batch_laws(usable, redrawn, noise, options);
    tell_laws(laws, fit);
    tell_family(usable, fit);
    if (laws.empty()) {
        tell_cells_alone(usable, redrawn, fit);
        return fit;
    }
    show_laws(laws, usable, redrawn, options, fit);
    tell_how_to_read(runs, from_curves, laws.size(), options, fit);
    warn_of_batches_outside(usable, fit);
    recommend_batches(laws, runs, fit);
    return fit;
}

}  // namespace isogrid::analysis
