// Loss over the proportions of mixed data: the exponential law of Ye et al. 2024 beside two linear ones,
// chosen among by held-out error, and the best mixture within what was tried.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>
#include <set>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/alike.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/laws/mixture_best.hpp"
#include "analysis/laws/mixture_figures.hpp"
#include "analysis/laws/mixture_forms.hpp"

namespace isogrid::analysis {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

std::size_t different_mixtures(const std::vector<const Run*>& runs) {
    std::set<Shares> different;
    for (const Run* run : runs)
        different.insert(run->shares);
    return different.size();
}

std::optional<Reason> refuse(const std::vector<const Run*>& runs, std::size_t sources) {
    for (const Run* run : runs)
        if (const double sum = std::accumulate(run->shares.begin(), run->shares.end(), 0.0);
            std::abs(sum - 1) > 0.02)
            return Reason{Refusal::missing_columns, "the shares of " + run->name + " add up to " +
                                                        format_significant(sum, 3) +
                                                        " (not to 1: a source is missing, or they are not "
                                                        "proportions) name every source as share.SOURCE"};
    const std::size_t different = different_mixtures(runs), fewest = sources + 3;
    if (sources < 2 || different < fewest)
        return Reason{
            Refusal::too_few_runs,
            std::to_string(different) + " mixtures of " + std::to_string(sources) + " sources (" +
                std::to_string(fewest) +
                " of two sources or more are needed at one size and amount of data) run more mixtures"};
    return std::nullopt;
}

/// Does what small models say of mixtures hold for larger ones? The form chosen is fitted at each size and
/// amount of data that has enough mixtures and tried on all that took more compute. It knows no size, so that
/// only differences between mixtures are its to predict: the mean of each larger group is granted.
Table transfer_table(const std::string& name, const std::vector<std::string>& sources,
                     const std::vector<std::vector<const Run*>>& groups, const FitOptions& options) {
    Table table{"validation",
                "Fitted at less compute, tried at more: relative error of differences between mixtures",
                {{"flops", "fitted at 6 N D", Quantity::flops},
                 {"fitted", "fitted", Quantity::number},
                 {"predicted", "predicted", Quantity::number},
                 {"decades", "decades", Quantity::number},
                 {"mean_error", "mean error", Quantity::percent},
                 {"scatter", "of the mean", Quantity::percent},
                 {"worst", "worst", Quantity::percent}},
                {}};
    const auto compute = [](const std::vector<const Run*>& group) {
        return 6 * group.front()->parameters * group.front()->tokens;
    };
    FitOptions once = options;
    once.bootstrap = 0;
    for (const auto& small : groups) {
        if (!(compute(small) > 0) || refuse(small, sources.size())) continue;
        const MixtureForm form = fit_form(name, Mixtures(sources, small), once);
        if (form.refused || !form.loss) continue;
        double count = 0, error = 0, scatter = 0, worst = 0, most = 0;
        for (const auto& large : groups) {
            if (large.size() < 3 || !(compute(large) > 1.01 * compute(small))) continue;
            const Mixtures data(sources, large);
            const auto size = static_cast<double>(large.size());
            std::vector<double> above;
            double mean_above = 0, mean = 0;
            for (std::size_t i = 0; i < large.size(); ++i) {
                above.push_back(std::log(form.loss(data.shares[i])) - data.log_loss[i]);
                mean_above += above.back() / size, mean += data.log_loss[i] / size;
            }
            for (std::size_t i = 0; i < large.size(); ++i) {
                const double off = std::abs(std::expm1(above[i] - mean_above));
                error += off, worst = std::max(worst, off), ++count;
                scatter += std::abs(std::expm1(mean - data.log_loss[i]));
            }
            most = std::max(most, compute(large));
        }
        if (count > 0)
            table.rows.push_back({compute(small), static_cast<double>(small.size()), count,
                                  std::log10(most / compute(small)), error / count, scatter / count, worst});
    }
    return table;
}

/// Runs of one size and amount of data, by rising compute where it is known.
std::vector<std::vector<const Run*>> group_alike(const std::vector<Run>& runs) {
    std::map<double, std::vector<const Run*>> sizes;
    for (const Run& run : runs)
        if (!run.shares.empty() && run.loss > 0) sizes[run.parameters].push_back(&run);
    std::vector<std::vector<const Run*>> alike;
    for (const auto& [parameters, some] : sizes) {
        // From the fewest tokens up, in their order of appearance within a group: mixtures are listed by it.
        std::vector<double> tokens;
        for (const Run* run : some)
            tokens.push_back(run->tokens);
        std::sort(tokens.begin(), tokens.end());
        for (auto begin = tokens.begin(); begin != tokens.end();) {
            const double from = *begin, to = from * rounding_of_counts;
            begin = std::upper_bound(begin, tokens.end(), to);
            auto& group = alike.emplace_back();
            std::copy_if(some.begin(), some.end(), std::back_inserter(group),
                         [&](const Run* run) { return run->tokens >= from && run->tokens <= to; });
        }
    }
    std::stable_sort(alike.begin(), alike.end(), [](const auto& a, const auto& b) {
        return a.front()->parameters * a.front()->tokens < b.front()->parameters * b.front()->tokens;
    });
    return alike;
}

/// The one with most different mixtures, of equals the one with most runs: repeats of a few mixtures make a
/// large group that no law can be fitted to.
std::vector<const Run*> richest_group(const std::vector<std::vector<const Run*>>& groups, LawFit& fit) {
    const auto wealth = [](const std::vector<const Run*>& group) {
        return std::pair(different_mixtures(group), group.size());
    };
    std::vector<const Run*> richest;
    std::size_t all = 0;
    for (const auto& some : groups) {
        all += some.size();
        if (wealth(some) > wealth(richest)) richest = some;
    }
    if (richest.size() < all)
        fit.notes.push_back("mixtures are compared at one size and amount of data: the " +
                            std::to_string(richest.size()) + " runs of the one with most mixtures; " +
                            std::to_string(all - richest.size()) + " others were set aside");
    return richest;
}

void tell_best(const MixtureForm& form, const Mixtures& data, LawFit& fit) {
    const Shares best = best_mixture(form.loss, data, corners_and_best(data, form.loss));
    std::vector<std::vector<double>> again(data.sources.size());
    for (const LossOfShares& replicate : form.replicates) {
        std::vector<Shares> starts = {best};
        const Shares other = best_mixture(replicate, data, starts);
        for (std::size_t j = 0; j < other.size(); ++j)
            again[j].push_back(other[j]);
    }
    std::string at_edge;
    for (std::size_t j = 0; j < best.size(); ++j) {
        fit.derived.push_back({"best." + data.sources[j], summarize(best[j], again[j])});
        if (best[j] < data.low[j] + 1e-4 || best[j] > data.high[j] - 1e-4)
            at_edge += (at_edge.empty() ? "" : ", ") + data.sources[j] + " " + format_significant(best[j], 3);
    }
    const auto of_best = [&](const LossOfShares& loss) { return loss(best); };
    fit.derived.push_back({"loss_of_best", estimated(form.loss, form.replicates, of_best, form.widening)});
    if (!at_edge.empty())
        fit.warnings.push_back(
            {Refusal::edge_minimum, "the best mixture lies at the edge of the shares tried (" + at_edge +
                                        ": a better one may lie beyond) try mixtures beyond it"});
    if (form.name != "quadratic")
        fit.notes.push_back(
            "the " + form.name +
            " form falls or rises all along every mixture, so that its best always lies at a corner of "
            "what was tried; only the quadratic form can have a best mixture inside");
    fit.figures.push_back(trace_figure(form, data, best));
}

/// Every form, and what each predicts of the runs left out for it.
struct TriedForms {
    std::vector<MixtureForm> forms;
    std::vector<std::vector<double>> predicted;
};

TriedForms try_forms(const Mixtures& data, const FitOptions& options) {
    TriedForms tried;
    for (const char* name : {"exponential", "offsets", "quadratic"}) {
        MixtureForm& form = tried.forms.emplace_back(fit_form(name, data, options));
        tried.predicted.emplace_back(data.runs.size(), none);
        if (!form.refused) form.held_out = held_out_error(name, data, options, &tried.predicted.back());
    }
    return tried;
}

/// The place of the form whose held-out error is lowest; a simpler one counts as as good unless another is
/// better by a tenth. Their number where none could be tried.
std::size_t best_of(const std::vector<MixtureForm>& forms) {
    std::size_t chosen = forms.size();
    for (std::size_t f = 0; f < forms.size(); ++f)
        if (std::isfinite(forms[f].held_out) &&
            (chosen == forms.size() || forms[f].held_out < 0.9 * forms[chosen].held_out))
            chosen = f;
    return chosen;
}

/// Parameters of the form chosen, and how to read them; why the published one is not it, where it was
/// refused.
void tell_form(const MixtureForm& best, const MixtureForm& published, LawFit& fit) {
    if (published.refused)
        fit.warnings.push_back({published.refused->kind, "the exponential form: " + published.refused->text});
    fit.objective_value = best.objective;
    fit.parameters = best.parameters;
    fit.warnings.insert(fit.warnings.end(), best.warnings.begin(), best.warnings.end());
    fit.notes.insert(fit.notes.end(), best.notes.begin(), best.notes.end());
    if (&best == &published) {
        fit.notes.push_back(
            "the shares add up to 1, so that only differences of the t mean something: they are "
            "reported with a sum of 0; the source of lowest t lowers the loss most");
    } else {
        fit.objective = "squares of log loss";
        fit.redrawn = "coefficients, as normal noise of the losses moves them";
        fit.notes.push_back(
            "loss.SOURCE is the loss of that source alone, by the law; interactions below 0 say "
            "that two sources do better together than apart");
    }
    fit.notes.push_back("parameters and best mixture are those of the " + best.name +
                        " form, whose held-out error is lowest (or within a tenth of it)");
}

/// How well the form of one size foretells how the mixtures of larger ones differ.
void tell_transfer(Table transfer, LawFit& fit) {
    if (transfer.rows.empty()) return;
    constexpr std::size_t mean_error = 4;  // its column
    HeldOut held_out{"differences between mixtures"};
    for (const auto& row : transfer.rows)
        held_out.mean_error += std::get<double>(row[mean_error]) / static_cast<double>(transfer.rows.size());
    fit.held_out.push_back(std::move(held_out));
    fit.tables.push_back(std::move(transfer));
}

/// Where the mean of all runs foretells a run left out nearly as well as the form does.
void warn_of_poor_prediction(const MixtureForm& best, const Mixtures& data, LawFit& fit) {
    double mean = 0, scatter = 0;
    for (const Run* run : data.runs)
        mean += run->loss / static_cast<double>(data.runs.size());
    for (const Run* run : data.runs)
        scatter += std::abs(mean / run->loss - 1) / static_cast<double>(data.runs.size());
    if (best.held_out > 0.7 * scatter)
        fit.warnings.push_back(
            {Refusal::poor_prediction,
             "runs left out are predicted with an error of " + format_significant(100 * best.held_out, 2) +
                 "%, against " + format_significant(100 * scatter, 2) +
                 "% for the mean of all (the mixture hardly matters here, or not so) do not choose "
                 "a mixture by this law"});
}

}  // namespace

LawFit fit_mixture(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "mixture";
    fit.objective = to_string(options.objective);
    const auto groups = group_alike(runs.used);
    const std::vector<const Run*> group = richest_group(groups, fit);
    if ((fit.refused = refuse(group, runs.sources.size()))) return fit;
    const Mixtures data(runs.sources, group);
    const auto [forms, predicted] = try_forms(data, options);
    const std::size_t chosen = best_of(forms);
    fit.tables.push_back(form_table(forms, chosen < forms.size() ? forms[chosen].name : ""));
    if (chosen == forms.size()) {
        fit.refused = forms.front().refused.value_or(Reason{
            Refusal::not_converged, "no form of the law could be fitted (to runs left out) add mixtures"});
        return fit;
    }
    const MixtureForm& best = forms[chosen];
    tell_form(best, forms.front(), fit);
    tell_transfer(transfer_table(best.name, data.sources, groups, options), fit);
    tell_best(best, data, fit);
    fit.figures.push_back(held_out_figure(data, predicted[chosen], best));
    warn_of_poor_prediction(best, data, fit);
    return fit;
}

}  // namespace isogrid::analysis
