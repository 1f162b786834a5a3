// The learning rate and the batch that suit a size and an amount of data, from sweeps.
#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/hyperparameters_figures.hpp"
#include "analysis/laws/knob_law.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/laws/sweep.hpp"

namespace isogrid::analysis {
namespace {

/// Runs of one parametrization and family: optima of different ones do not follow one law.
std::vector<UsableSweep> usable_of(const std::vector<Sweep>& sweeps, bool batch, LawFit& fit) {
    std::map<std::string, std::vector<UsableSweep>> kinds;
    for (std::size_t s = 0; s < sweeps.size(); ++s)
        if (!sweeps[s].bowl.refused && (batch ? sweeps[s].batch_swept : sweeps[s].learning_rate_swept))
            kinds[sweeps[s].parametrization].push_back({&sweeps[s], s});
    std::vector<UsableSweep> most;
    for (const auto& [kind, some] : kinds)
        if (some.size() > most.size()) most = some;
    if (kinds.size() > 1)
        fit.notes.push_back(
            std::string("the law of the ") + (batch ? "batch" : "learning rate") + " is that of " +
            most.front().sweep->parametrization +
            " alone (optima of different ones do not follow one law; --where keeps the others)");
    return most;
}

std::optional<KnobLaw> answer_knob(const std::vector<Sweep>& sweeps, const SweepNoise& noise,
                                   const std::vector<std::vector<Bowl>>& redrawn, bool batch,
                                   const FitOptions& options, LawFit& fit) {
    KnobLaw law;
    law.name = batch ? "batch" : "learning_rate";
    const std::string words = batch ? "batch" : "learning rate";
    law.batch = batch;
    law.sweeps = usable_of(sweeps, batch, fit);
    if (law.sweeps.empty()) return std::nullopt;
    law.in = choose_regressors(law.sweeps, words, fit);
    if (law.in.empty()) {
        if (law.sweeps.size() == 1)
            fit.parameters.push_back(
                {law.name, best_value(*law.sweeps.front().sweep, law.sweeps.front().which,
                                      knob_of(*law.sweeps.front().sweep, batch), redrawn)});
        fit.warnings.push_back({Refusal::too_few_runs,
                                std::to_string(law.sweeps.size()) + " sweeps show a best " + words +
                                    " (3 of different size or data are needed for a law of it) add sweeps"});
        return std::nullopt;
    }
    fit_line(law, noise, redrawn, options);
    if (law.line.coefficients.empty()) return std::nullopt;
    fit.parameters.push_back({law.name + "_coefficient", law.line.scale()});
    for (std::size_t j = 0; j < law.in.size(); ++j)
        fit.parameters.push_back(
            {law.name + "_" + law.in[j].symbol + "_exponent", law.line.coefficient(j + 1)});
    tell_validation(law, noise, fit);
    fit.figures.push_back(law_figure(law, redrawn));
    if (law.line.scattered && noise.freedom > 0)
        fit.notes.push_back(
            "the best " + words + "s scatter by " + format_significant(100 * law.line.deviation, 2) +
            "% about their law, more than the noise of the losses explains; its intervals are those "
            "of the scatter");
    const auto answer = [line = law.line, in = law.in](double parameters, double tokens) {
        std::vector<double> x;
        for (const Regressor& regressor : in)
            x.push_back(std::log(regressor.symbol[0] == 'N' ? parameters : tokens));
        return line.estimate(x);
    };
    if (batch)
        fit.batch_rules.push_back(
            {law.in.size() > 1 ? "N and D" : law.in.front().symbol,
             [answer](double parameters, double tokens, double) { return answer(parameters, tokens); }});
    else
        fit.learning_rate_at = answer;
    return law;
}

/// The batch as a power law of the loss that is reached.
void answer_batch_at_loss(KnobLaw law, const SweepNoise& noise, const std::vector<std::vector<Bowl>>& redrawn,
                          const FitOptions& options, LawFit& fit) {
    const KnobLaw rival = law;
    if (!put_in_loss(law)) return;
    fit_line(law, noise, redrawn, options);
    if (law.line.coefficients.empty()) return;
    fit.derived.push_back({"batch_loss_coefficient", law.line.scale()});
    fit.derived.push_back({"batch_loss_exponent", law.line.coefficient(1)});
    fit.figures.push_back(law_figure(law, redrawn));
    fit.batch_rules.push_back({"L", [line = law.line](double, double, double loss) {
                                   return line.estimate(std::vector{std::log(loss)});
                               }});
    const std::size_t fewest = rival.in.size() + 2;
    const std::vector<double> errors =
        held_out_errors({cuts_by_compute(rival, noise, fewest), cuts_by_compute(law, noise, fewest)});
    for (std::size_t l = 0; l < errors.size(); ++l)
        fit.batch_rules[l].held_out = errors[l];
    fit.tables.push_back(batch_rule_table(fit.batch_rules));
}

std::optional<Reason> refuse(const std::vector<Sweep>& sweeps) {
    if (sweeps.empty())
        return Reason{
            Refusal::too_few_runs,
            "no two runs of one size and amount of data differ in learning rate or batch (a sweep needs "
            "three values) run sweeps"};
    std::map<Refusal, int> reasons;
    for (const Sweep& sweep : sweeps) {
        if (!sweep.bowl.refused) return std::nullopt;
        ++reasons[*sweep.bowl.refused];
    }
    const auto most = std::max_element(reasons.begin(), reasons.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    std::string text = "0 of " + std::to_string(sweeps.size()) + " sweeps show an optimum (";
    for (const auto& [reason, count] : reasons)
        text += (text.ends_with('(') ? "" : ", ") + std::to_string(count) + " " + std::string(name(reason));
    return Reason{most->first, text + ") see the warnings"};
}

}  // namespace

LawFit fit_hyperparameters(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "hyperparameters";
    fit.redrawn = "losses, as far as they lie off the quadratic of their sweep";
    fit.objective = "squares of log loss";
    std::vector<Sweep> sweeps = gather_sweeps(runs.used, Sweeping::learning_rate_and_batch);
    const SweepNoise noise = sweep_noise(sweeps);
    std::size_t absurd = 0;
    for (const Sweep& sweep : sweeps)
        absurd += sweep.bowl.absurd.size();
    tell_sweeps(sweeps, fit);
    fit.refused = refuse(sweeps);
    if (sweeps.empty()) return fit;
    const auto redrawn = redraw_sweeps(sweeps, noise, options);
    fit.tables.push_back(sweep_table(sweeps, redrawn));
    for (const bool batch : {false, true}) {
        if (std::none_of(sweeps.begin(), sweeps.end(),
                         [&](const Sweep& s) { return batch ? s.batch_swept : s.learning_rate_swept; }))
            continue;
        fit.figures.push_back(bowls_figure(sweeps, batch));
        if (fit.refused) continue;
        const auto law = answer_knob(sweeps, noise, redrawn, batch, options, fit);
        if (batch && law) answer_batch_at_loss(*law, noise, redrawn, options, fit);
    }
    if (absurd > 0)
        fit.notes.push_back(std::to_string(absurd) +
                            " runs with losses above 1.3 times the lowest of their sweep were left out: they "
                            "diverged, or nearly");
    if (noise.freedom == 0 && !fit.refused)
        fit.notes.push_back(
            "every sweep has just as many points as its quadratic has coefficients: how sure an "
            "optimum is cannot be told; intervals of laws are those of the scatter about them");
    fit.notes.push_back(
        "where runs share size, data, learning rate and batch the lowest loss counts (repeats by "
        "seed: their mean)");
    return fit;
}

}  // namespace isogrid::analysis
