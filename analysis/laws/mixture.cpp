// Loss over the proportions of mixed data: the exponential law of Ye et al. 2024 beside two linear ones,
// chosen among by held-out error, and the best mixture within what was tried.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include <Eigen/Dense>

#include "analysis/fit/log_line.hpp"
#include "analysis/fit/parametric.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();
constexpr double same_tokens = 1.02;

using Shares = std::vector<double>;
using LossOf = std::function<double(std::span<const double> shares)>;

/// Runs alike but for their mixture.
struct Mixtures {
    std::vector<std::string> sources;
    std::vector<const Run*> runs;
    std::vector<Shares> shares;  ///< that add up to 1
    std::vector<double> log_loss;
    Shares low, high;  ///< of each source, as tried

    Mixtures(const std::vector<std::string>& names, std::vector<const Run*> some)
        : sources(names), runs(std::move(some)), low(names.size(), 1), high(names.size(), 0) {
        for (const Run* run : runs) {
            const double sum = std::accumulate(run->shares.begin(), run->shares.end(), 0.0);
            shares.push_back(run->shares);
            for (std::size_t j = 0; j < sources.size(); ++j) {
                shares.back()[j] /= sum;
                low[j] = std::min(low[j], shares.back()[j]), high[j] = std::max(high[j], shares.back()[j]);
            }
            log_loss.push_back(std::log(run->loss));
        }
    }
    Mixtures without(std::size_t left_out, std::size_t folds) const {
        std::vector<const Run*> some;
        for (std::size_t i = 0; i < runs.size(); ++i)
            if (i % folds != left_out) some.push_back(runs[i]);
        return {sources, some};
    }
};

/// A form of the law, fitted, and again in each replicate.
struct Form {
    std::string name;
    std::size_t coefficients = 0;
    std::optional<Reason> refused;
    LossOf loss;
    std::vector<LossOf> replicates;
    std::vector<Parameter> parameters;
    std::vector<Reason> warnings;
    std::vector<std::string> notes;
    double widening = 1;
    double objective = none;
    double held_out = none;  ///< mean relative error of runs left out
};

// ---- L = c + k exp(sum of t_j r_j) ----

double exponent(std::span<const double> rates, std::span<const double> shares) {
    double sum = 0;
    for (std::size_t j = 0; j < shares.size(); ++j)
        sum += rates[j] * shares[j];
    return sum;
}

/// As it is fitted: log c, then log k + t_j for each source. The shares add up to 1, so that k and a constant
/// in every t_j cannot be told apart; reported are t_j that add up to 0.
ResidualModel exponential_model(const Mixtures& data) {
    return {data.sources.size() + 1, data.log_loss.size(),
            [&data](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                const double rise = exponent(at.subspan(1), data.shares[i]), top = std::max(at[0], rise);
                const double floor_part = std::exp(at[0] - top), rising = std::exp(rise - top);
                const double sum = floor_part + rising;
                if (!gradient.empty()) {
                    gradient[0] = floor_part / sum;
                    for (std::size_t j = 0; j < data.sources.size(); ++j)
                        gradient[j + 1] = data.shares[i][j] * rising / sum;
                }
                return top + std::log(sum) - data.log_loss[i];
            }};
}

std::vector<double> report_exponential(std::span<const double> at) {
    const auto sources = static_cast<double>(at.size() - 1);
    const double mean = std::accumulate(at.begin() + 1, at.end(), 0.0) / sources;
    std::vector<double> values = {std::exp(at[0]), std::exp(mean)};
    for (std::size_t j = 1; j < at.size(); ++j)
        values.push_back(at[j] - mean);
    return values;
}

/// Linear coefficients of `observed` on the shares.
std::vector<double> on_shares(const Mixtures& data, const std::vector<double>& observed) {
    const auto rows = static_cast<Eigen::Index>(observed.size());
    const auto columns = static_cast<Eigen::Index>(data.sources.size());
    Eigen::MatrixXd design(rows, columns);
    Eigen::VectorXd y(rows);
    for (Eigen::Index i = 0; i < rows; ++i) {
        const auto at = static_cast<std::size_t>(i);
        for (Eigen::Index j = 0; j < columns; ++j)
            design(i, j) = data.shares[at][static_cast<std::size_t>(j)];
        y[i] = observed[at];
    }
    const Eigen::VectorXd solved = design.colPivHouseholderQr().solve(y);
    return {solved.data(), solved.data() + solved.size()};
}

Form fit_exponential(const Mixtures& data, const FitOptions& options) {
    Form form;
    form.name = "exponential";
    form.coefficients = data.sources.size() + 1;
    const double lowest = std::exp(*std::min_element(data.log_loss.begin(), data.log_loss.end()));
    std::vector<std::vector<double>> starts;
    for (const double floor : {0.05, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98}) {
        std::vector<double> above;
        for (const double value : data.log_loss)
            above.push_back(std::log(std::exp(value) - floor * lowest));
        std::vector<double> start = {std::log(floor * lowest)};
        const std::vector<double> rates = on_shares(data, above);
        start.insert(start.end(), rates.begin(), rates.end());
        starts.push_back(std::move(start));
    }
    std::vector<ReportedParameter> parameters = {{"c", 1e-3 * lowest, lowest, /*soft=*/true}, {"k"}};
    for (const std::string& source : data.sources)
        parameters.push_back({"t." + source});
    ParametricFit found = fit_parametric({.model = exponential_model(data),
                                          .parameters = parameters,
                                          .report = report_exponential,
                                          .starts = starts},
                                         options);
    form.refused = found.refused;
    form.warnings = found.warnings, form.notes = found.notes;
    form.parameters = found.parameters, form.widening = found.widening;
    if (found.minima.empty()) return form;
    form.objective = found.minima.front().value;
    const auto loss_of = [](std::vector<double> v) -> LossOf {
        return [v = std::move(v)](std::span<const double> shares) {
            return v[0] + v[1] * std::exp(exponent(std::span(v).subspan(2), shares));
        };
    };
    form.loss = loss_of(found.values);
    for (const auto& replicate : found.replicates)
        form.replicates.push_back(loss_of(replicate));
    return form;
}

// ---- log L linear in the shares, and in their products (Scheffe 1958) ----

Eigen::VectorXd scheffe_terms(std::span<const double> shares, bool products) {
    const std::size_t sources = shares.size();
    Eigen::VectorXd row(static_cast<Eigen::Index>(products ? sources * (sources + 1) / 2 : sources));
    Eigen::Index at = 0;
    for (const double share : shares)
        row[at++] = share;
    for (std::size_t j = 0; products && j < sources; ++j)
        for (std::size_t k = j + 1; k < sources; ++k)
            row[at++] = shares[j] * shares[k];
    return row;
}

Form fit_scheffe(const Mixtures& data, bool products, const FitOptions& options) {
    Form form;
    form.name = products ? "quadratic" : "offsets";
    const std::size_t sources = data.sources.size();
    form.coefficients = products ? sources * (sources + 1) / 2 : sources;
    const auto rows = static_cast<Eigen::Index>(data.runs.size());
    const auto columns = static_cast<Eigen::Index>(form.coefficients);
    const double freedom = static_cast<double>(rows - columns);
    Eigen::MatrixXd design(rows, columns);
    Eigen::VectorXd observed(rows);
    for (Eigen::Index i = 0; i < rows; ++i) {
        design.row(i) = scheffe_terms(data.shares[static_cast<std::size_t>(i)], products).transpose();
        observed[i] = data.log_loss[static_cast<std::size_t>(i)];
    }
    const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> factored(design);
    if (freedom < 2 || factored.rank() < columns) {
        form.refused = Reason{Refusal::too_few_runs, std::to_string(rows) + " mixtures for " +
                                                         std::to_string(columns) + " coefficients"};
        return form;
    }
    const Eigen::VectorXd solved = factored.solve(observed);
    form.objective = (design * solved - observed).squaredNorm();
    const auto loss_of = [products](Eigen::VectorXd c) -> LossOf {
        return [c = std::move(c), products](std::span<const double> shares) {
            return std::exp(c.dot(scheffe_terms(shares, products)));
        };
    };
    form.loss = loss_of(solved);
    const double deviation = std::sqrt(form.objective / freedom);
    const Eigen::MatrixXd root = (design.transpose() * design).inverse().llt().matrixL();
    std::vector<std::vector<double>> again;
    for (std::size_t k = 0; k < options.bootstrap; ++k) {  // exact for normal noise
        Random random(options.seed, k);
        const double scale = deviation * student_factor(freedom);
        Eigen::VectorXd z(columns);
        for (double& value : z)
            value = random.normal();
        const Eigen::VectorXd c = solved + scale * (root * z);
        form.replicates.push_back(loss_of(c));
        again.emplace_back(c.data(), c.data() + columns);
    }
    for (std::size_t j = 0; j < sources; ++j) {
        std::vector<double> spread;
        for (const auto& c : again)
            spread.push_back(std::exp(c[j]));
        form.parameters.push_back(
            {"loss." + data.sources[j],
             summarize(std::exp(solved[static_cast<Eigen::Index>(j)]), std::move(spread))});
    }
    for (std::size_t j = 0, at = sources; products && j < sources; ++j)
        for (std::size_t k = j + 1; k < sources; ++k, ++at)
            form.parameters.push_back({"interaction." + data.sources[j] + "." + data.sources[k],
                                       summarize(solved[static_cast<Eigen::Index>(at)], again, at)});
    return form;
}

Form fit_form(const std::string& name, const Mixtures& data, const FitOptions& options) {
    if (name == "exponential") return fit_exponential(data, options);
    return fit_scheffe(data, name == "quadratic", options);
}

/// Mean relative error of runs left out, a tenth at a time (each alone where there are few).
double held_out_error(const std::string& name, const Mixtures& data, const FitOptions& options,
                      std::vector<double>* predicted) {
    FitOptions once = options;
    once.bootstrap = 0;
    const std::size_t folds = std::min<std::size_t>(data.runs.size(), 10);
    double error = 0;
    predicted->assign(data.runs.size(), none);
    for (std::size_t fold = 0; fold < folds; ++fold) {
        const Mixtures some = data.without(fold, folds);
        const Form form = fit_form(name, some, once);
        if (form.refused || !form.loss) return none;
        for (std::size_t i = fold; i < data.runs.size(); i += folds) {
            (*predicted)[i] = form.loss(data.shares[i]);
            error +=
                std::abs((*predicted)[i] / data.runs[i]->loss - 1) / static_cast<double>(data.runs.size());
        }
    }
    return error;
}

std::optional<Reason> refuse(const std::vector<const Run*>& runs, std::size_t sources) {
    for (const Run* run : runs)
        if (const double sum = std::accumulate(run->shares.begin(), run->shares.end(), 0.0);
            std::abs(sum - 1) > 0.02)
            return Reason{Refusal::missing_columns, "the shares of " + run->name + " add up to " +
                                                        format_significant(sum, 3) +
                                                        " (not to 1: a source is missing, or they are not "
                                                        "proportions) name every source as share.SOURCE"};
    std::vector<Shares> different;
    for (const Run* run : runs)
        different.push_back(run->shares);
    std::sort(different.begin(), different.end());
    different.erase(std::unique(different.begin(), different.end()), different.end());
    const std::size_t fewest = sources + 3;
    if (sources < 2 || different.size() < fewest)
        return Reason{
            Refusal::too_few_runs,
            std::to_string(different.size()) + " mixtures of " + std::to_string(sources) + " sources (" +
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
        const Form form = fit_form(name, Mixtures(sources, small), once);
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

// ---- the best mixture ----

/// The nearest mixture to `wanted` within the shares tried: each share moved by the same amount and then cut,
/// so that they add up to 1 (the projection on a box and a plane).
Shares project(const Shares& wanted, const Mixtures& data) {
    double low = -2, high = 2;
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

/// The mixture of lowest loss: down the gradient within the shares tried, from the best mixtures run.
Shares best_mixture(const LossOf& loss, const Mixtures& data, const std::vector<Shares>& starts) {
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
                    here = moved, value = lower, step *= 1.5;
                    break;
                }
                step *= 0.5;
            }
        }
        if (value < loss(best)) best = here;
    }
    return best;
}

std::vector<Shares> corners_and_best(const Mixtures& data, const LossOf& loss) {
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

Table form_table(const std::vector<Form>& forms, const std::string& chosen) {
    Table table{"forms",
                "Forms of the law, by the error of runs left out",
                {{"form", "form", Quantity::text},
                 {"coefficients", "coefficients", Quantity::number},
                 {"held_out_error", "held-out error", Quantity::percent},
                 {"status", "status", Quantity::text}},
                {}};
    for (const Form& form : forms)
        table.rows.push_back({form.name, static_cast<double>(form.coefficients), form.held_out,
                              std::string(form.refused          ? name(form.refused->kind)
                                          : form.name == chosen ? "chosen"
                                                                : "ok")});
    return table;
}

/// What happens to the loss as one source's share changes and the others keep their proportions (Cox 1971).
Figure trace_figure(const Form& form, const Mixtures& data, const Shares& best) {
    Figure figure{"mixture-traces",
                  "What each source's share does to the loss",
                  "Loss as one source's share changes while the others keep the proportions of the best "
                  "mixture (rings), "
                  "within the shares tried; bands are 95% intervals.",
                  {"share of the source", Quantity::number, false},
                  {"loss (nats a token)", Quantity::loss, false},
                  {}};
    figure.legend = "source";
    const std::size_t sources = data.sources.size();
    for (std::size_t j = 0; j < sources; ++j) {
        const double shade = sources > 1 ? static_cast<double>(j) / static_cast<double>(sources - 1) : 0.5;
        Series line{data.sources[j], Mark::line, shade, 0, {}, {}, {}},
            band{"", Mark::band, shade, 0, {}, {}, {}};
        for (int step = 0; step <= 40; ++step) {
            const double share = data.low[j] + (data.high[j] - data.low[j]) * step / 40;
            Shares shares = best;
            const double rest = 1 - best[j];
            for (std::size_t k = 0; k < sources; ++k)
                shares[k] = k == j        ? share
                            : rest > 1e-9 ? best[k] * (1 - share) / rest
                                          : (1 - share) / static_cast<double>(sources - 1);
            std::vector<double> spread;
            for (const LossOf& replicate : form.replicates)
                spread.push_back(replicate(shares));
            const Estimate loss = summarize(form.loss(shares), std::move(spread), form.widening);
            line.x.push_back(share), line.y.push_back(loss.value);
            if (!std::isfinite(loss.low)) continue;
            band.x.push_back(share), band.y.push_back(loss.low), band.upper.push_back(loss.high);
        }
        if (!band.x.empty()) figure.series.push_back(std::move(band));
        figure.series.push_back(std::move(line));
        figure.series.push_back({"", Mark::rings, shade, 0, {best[j]}, {form.loss(best)}, {}});
    }
    if (sources == 2) {
        Series points{"runs", Mark::points, std::nullopt, 0, {}, {}, {}};
        for (std::size_t i = 0; i < data.runs.size(); ++i)
            points.x.push_back(data.shares[i][0]), points.y.push_back(data.runs[i]->loss);
        figure.series.push_back(std::move(points));
    }
    return figure;
}

Figure held_out_figure(const Mixtures& data, const std::vector<double>& predicted, const Form& form) {
    Figure figure{
        "mixture-held-out",
        "Losses of mixtures that the fit had not seen",
        "Each run's loss against what the law fitted without it (and a tenth of the others) predicts: mean "
        "error " +
            format_significant(100 * form.held_out, 2) + "%. Grey: no error.",
        {"predicted loss (nats a token)", Quantity::loss, false},
        {"measured loss (nats a token)", Quantity::loss, false},
        {}};
    Series points{"", Mark::points, std::nullopt, 2, {}, {}, {}};
    double low = std::numeric_limits<double>::infinity(), high = 0;
    for (std::size_t i = 0; i < data.runs.size(); ++i) {
        points.x.push_back(predicted[i]), points.y.push_back(data.runs[i]->loss);
        low = std::min({low, predicted[i], data.runs[i]->loss});
        high = std::max({high, predicted[i], data.runs[i]->loss});
    }
    figure.series.push_back({"", Mark::line, std::nullopt, 4, {low, high}, {low, high}, {}});
    figure.series.push_back(std::move(points));
    return figure;
}

/// Runs of one size and amount of data, by rising compute where it is known.
std::vector<std::vector<const Run*>> group_alike(const std::vector<Run>& runs) {
    std::map<std::pair<double, long long>, std::vector<const Run*>> groups;
    for (const Run& run : runs) {
        if (run.shares.empty() || !(run.loss > 0)) continue;
        const double tokens = run.tokens > 0 ? std::log(run.tokens) / std::log(same_tokens) : 0;
        groups[{run.parameters, std::llround(tokens)}].push_back(&run);
    }
    std::vector<std::vector<const Run*>> alike;
    for (auto& [key, some] : groups)
        alike.push_back(std::move(some));
    std::stable_sort(alike.begin(), alike.end(), [](const auto& a, const auto& b) {
        return a.front()->parameters * a.front()->tokens < b.front()->parameters * b.front()->tokens;
    });
    return alike;
}

/// The largest of them.
std::vector<const Run*> largest_group(const std::vector<std::vector<const Run*>>& groups, LawFit& fit) {
    std::vector<const Run*> largest;
    std::size_t all = 0;
    for (const auto& some : groups) {
        all += some.size();
        if (some.size() > largest.size()) largest = some;
    }
    if (largest.size() < all)
        fit.notes.push_back("mixtures are compared at one size and amount of data: the " +
                            std::to_string(largest.size()) + " runs that share theirs most; " +
                            std::to_string(all - largest.size()) + " others were set aside");
    return largest;
}

void tell_best(const Form& form, const Mixtures& data, LawFit& fit) {
    const Shares best = best_mixture(form.loss, data, corners_and_best(data, form.loss));
    std::vector<std::vector<double>> again(data.sources.size());
    std::vector<double> losses;
    for (const LossOf& replicate : form.replicates) {
        std::vector<Shares> starts = {best};
        const Shares other = best_mixture(replicate, data, starts);
        for (std::size_t j = 0; j < other.size(); ++j)
            again[j].push_back(other[j]);
        losses.push_back(replicate(best));
    }
    std::string at_edge;
    for (std::size_t j = 0; j < best.size(); ++j) {
        fit.derived.push_back({"best." + data.sources[j], summarize(best[j], again[j])});
        if (best[j] < data.low[j] + 1e-4 || best[j] > data.high[j] - 1e-4)
            at_edge += (at_edge.empty() ? "" : ", ") + data.sources[j] + " " + format_significant(best[j], 3);
    }
    fit.derived.push_back({"loss_of_best", summarize(form.loss(best), std::move(losses), form.widening)});
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

}  // namespace

LawFit fit_mixture(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "mixture";
    fit.objective = to_string(options.objective);
    const auto groups = group_alike(runs.used);
    const std::vector<const Run*> group = largest_group(groups, fit);
    if ((fit.refused = refuse(group, runs.sources.size()))) return fit;
    const Mixtures data(runs.sources, group);

    std::vector<Form> forms;
    std::vector<std::vector<double>> predicted;
    for (const char* name : {"exponential", "offsets", "quadratic"}) {
        forms.push_back(fit_form(name, data, options));
        predicted.emplace_back(data.runs.size(), none);
        if (!forms.back().refused)
            forms.back().held_out = held_out_error(name, data, options, &predicted.back());
    }
    // A simpler form counts as as good unless another is better by a tenth.
    std::size_t chosen = forms.size();
    for (const std::size_t f : {std::size_t{0}, std::size_t{1}, std::size_t{2}})
        if (std::isfinite(forms[f].held_out) &&
            (chosen == forms.size() || forms[f].held_out < 0.9 * forms[chosen].held_out))
            chosen = f;
    fit.tables.push_back(form_table(forms, chosen < forms.size() ? forms[chosen].name : ""));
    if (chosen == forms.size()) {
        fit.refused = forms.front().refused.value_or(Reason{
            Refusal::not_converged, "no form of the law could be fitted (to runs left out) add mixtures"});
        return fit;
    }
    const Form& exponential = forms.front();
    const Form& best = forms[chosen];
    if (exponential.refused)
        fit.warnings.push_back(
            {exponential.refused->kind, "the exponential form: " + exponential.refused->text});
    fit.objective_value = best.objective;
    if (chosen > 0) fit.objective = "squares of log loss";
    fit.parameters = best.parameters;
    fit.warnings.insert(fit.warnings.end(), best.warnings.begin(), best.warnings.end());
    fit.notes.insert(fit.notes.end(), best.notes.begin(), best.notes.end());
    if (chosen == 0)
        fit.notes.push_back(
            "the shares add up to 1, so that only differences of the t mean something: they are "
            "reported with a sum of 0; the source of lowest t lowers the loss most");
    else
        fit.notes.push_back(
            "loss.SOURCE is the loss of that source alone, by the law; interactions below 0 say "
            "that two sources do better together than apart");
    fit.notes.push_back("parameters and best mixture are those of the " + best.name +
                        " form, whose held-out error is lowest (or within a tenth of it)");
    if (Table transfer = transfer_table(best.name, data.sources, groups, options); !transfer.rows.empty())
        fit.tables.push_back(std::move(transfer));
    tell_best(best, data, fit);
    fit.figures.push_back(held_out_figure(data, predicted[chosen], best));
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
    return fit;
}

}  // namespace isogrid::analysis
