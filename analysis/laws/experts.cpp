// What experts are worth: the effective parameters of sparse models, Clark et al. 2022.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include <Eigen/Dense>

#include "analysis/fit/parametric.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t linear = 4;  ///< coefficients that log loss is linear in

/// log L = a log N + b log E^ + c log N log E^ + d. Without saturation E^ = E.
struct RoutedLaw {
    double a = 0, b = 0, c = 0, d = 0;
    bool saturates = false;
    double start = 1, most = std::numeric_limits<double>::infinity();  ///< E^ of one expert, and of many

    static RoutedLaw of(std::span<const double> values) {
        RoutedLaw law{values[0], values[1], values[2], values[3]};
        if (values.size() > linear) law.saturates = true, law.start = values[4], law.most = values[5];
        return law;
    }
    double log_experts(double experts) const {
        if (!saturates) return std::log(experts);
        const double shifted = experts - 1 + 1 / (1 / start - 1 / most);
        return -std::log(1 / shifted + 1 / most);
    }
    double log_loss(double parameters, double experts) const {
        const double n = std::log(parameters), e = log_experts(experts);
        return a * n + b * e + c * n * e + d;
    }
    /// The size of the dense model (one expert) of the same loss.
    double effective(double parameters, double experts) const {
        const double dense = log_experts(1), e = log_experts(experts);
        return std::exp(((a + c * e) * std::log(parameters) + b * (e - dense)) / (a + c * dense));
    }
    /// The size beyond which more experts no longer lower the loss.
    double cutoff() const { return std::exp(-b / c); }
};

double size_of(const Run& run, bool active) {
    return active ? run.active_parameters.value_or(run.parameters) : run.parameters;
}

struct Data {
    std::vector<double> n, experts, log_loss;  ///< n: log N from its mean
    double mean_n = 0;

    Data(const std::vector<const Run*>& runs, bool active) {
        for (const Run* run : runs) {
            n.push_back(std::log(size_of(*run, active)));
            experts.push_back(*run->experts);
            log_loss.push_back(std::log(run->loss));
            mean_n += n.back() / static_cast<double>(runs.size());
        }
        for (double& value : n)
            value -= mean_n;
    }

    /// E^ as the optimizer moves it: log of E^ at one expert, and log of how many times that E^ may grow to.
    struct Saturation {
        double log_experts = 0, by_start = 0, by_growth = 0;
    };
    static Saturation saturation(double log_start, double log_growth, double experts) {
        const double start = std::exp(log_start), growth = std::exp(log_growth), most = start * (1 + growth);
        const double shift = start * (1 + 1 / growth), shifted = experts - 1 + shift;
        const double inverse = 1 / shifted + 1 / most, squared = shifted * shifted;
        const double by_start = -shift / squared - 1 / most;
        const double by_growth = start / growth / squared - growth / (1 + growth) / most;
        return {-std::log(inverse), -by_start / inverse, -by_growth / inverse};
    }

    double residual(std::span<const double> at, std::size_t i, std::span<double> gradient) const {
        const bool saturates = at.size() > linear;
        const Saturation s =
            saturates ? saturation(at[4], at[5], experts[i]) : Saturation{std::log(experts[i]), 0, 0};
        const double e = s.log_experts;
        if (!gradient.empty()) {
            gradient[0] = n[i], gradient[1] = e, gradient[2] = n[i] * e, gradient[3] = 1;
            if (saturates) {
                const double slope = at[1] + at[2] * n[i];
                gradient[4] = slope * s.by_start, gradient[5] = slope * s.by_growth;
            }
        }
        return at[0] * n[i] + at[1] * e + at[2] * n[i] * e + at[3] - log_loss[i];
    }

    ResidualModel model(bool saturates) const {
        return {saturates ? linear + 2 : linear, log_loss.size(),
                [this](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                    return residual(at, i, gradient);
                }};
    }

    /// In the coordinates of the law: N itself, not from its mean.
    std::vector<double> report(std::span<const double> at) const {
        std::vector<double> values = {at[0], at[1] - at[2] * mean_n, at[2], at[3] - at[0] * mean_n};
        if (at.size() > linear) {
            values.push_back(std::exp(at[4]));
            values.push_back(std::exp(at[4]) * (1 + std::exp(at[5])));
        }
        return values;
    }

    /// The best linear coefficients for a given saturation.
    std::vector<double> start(std::vector<double> saturation_at) const {
        const auto count = static_cast<Eigen::Index>(n.size());
        Eigen::MatrixXd design(count, static_cast<Eigen::Index>(linear));
        Eigen::VectorXd observed(count);
        for (Eigen::Index i = 0; i < count; ++i) {
            const auto k = static_cast<std::size_t>(i);
            const double e = saturation_at.empty()
                                 ? std::log(experts[k])
                                 : saturation(saturation_at[0], saturation_at[1], experts[k]).log_experts;
            design.row(i) << n[k], e, n[k] * e, 1;
            observed[i] = log_loss[k];
        }
        const Eigen::VectorXd solved = design.colPivHouseholderQr().solve(observed);
        std::vector<double> at(solved.data(), solved.data() + solved.size());
        at.insert(at.end(), saturation_at.begin(), saturation_at.end());
        return at;
    }

    std::vector<std::vector<double>> starts(bool saturates) const {
        if (!saturates) {
            std::vector<double> exact = start({}), off = exact;
            off[0] *= 0.5, off[3] += 0.1;
            return {exact, off, {-0.05, -0.05, 0, off[3]}};
        }
        std::vector<std::vector<double>> grid;
        for (const double first : {0.5, 1.0, 2.0, 4.0})
            for (const double growth : {5., 20., 100., 500., 5000.})
                grid.push_back(start({std::log(first), std::log(growth)}));
        return grid;
    }
};

ParametricFit fit_routed(const Data& data, bool saturates, const FitOptions& options) {
    std::vector<ReportedParameter> parameters = {{"a", -2, 0}, {"b"}, {"c"}, {"d"}};
    if (saturates) {
        const double many = *std::max_element(data.experts.begin(), data.experts.end());
        parameters.push_back({"experts_start", 1e-3, 1e3});
        parameters.push_back({"experts_max", 1, 100 * many, /*soft=*/true});
    }
    return fit_parametric({.model = data.model(saturates),
                           .parameters = parameters,
                           .report = [&](std::span<const double> at) { return data.report(at); },
                           .starts = data.starts(saturates)},
                          options);
}

std::set<double> values_of(const std::vector<const Run*>& runs, const std::function<double(const Run&)>& of) {
    std::set<double> values;
    for (const Run* run : runs)
        values.insert(of(*run));
    return values;
}

Table effective_table(const std::vector<const Run*>& runs, bool active, const RoutedLaw& law,
                      const std::vector<RoutedLaw>& others, double widening) {
    Table table{"effective_parameters",
                "Effective parameters: the dense model of the same loss",
                {{"name", "run", Quantity::text},
                 {"parameters", "N", Quantity::parameters},
                 {"experts", "experts", Quantity::number},
                 {"loss", "loss", Quantity::loss},
                 {"loss_of_law", "law", Quantity::loss},
                 {"effective_parameters", "effective", Quantity::parameters},
                 {"effective_low", "from", Quantity::parameters},
                 {"effective_high", "to", Quantity::parameters}},
                {}};
    for (const Run* run : runs) {
        const double size = size_of(*run, active), experts = *run->experts;
        std::vector<double> spread;
        for (const RoutedLaw& other : others)
            spread.push_back(other.effective(size, experts));
        const Estimate effective = summarize(law.effective(size, experts), std::move(spread), widening);
        table.rows.push_back({run->name, size, experts, run->loss, std::exp(law.log_loss(size, experts)),
                              effective.value, effective.low, effective.high});
    }
    return table;
}

double shade_of(double value, const std::set<double>& values) {
    const double low = *values.begin(), high = *values.rbegin();
    return high > low ? std::log(value / low) / std::log(high / low) : 0.5;
}

Figure loss_figure(const std::vector<const Run*>& runs, bool active, const RoutedLaw& law) {
    Figure figure{"experts-loss",
                  "Experts lower the loss, less so in larger models",
                  "Loss against the number of experts, one colour a size of the model that each token passes "
                  "through. Lines are the law; where they level off experts saturate.",
                  {"experts", Quantity::number, true},
                  {"loss (nats a token)", Quantity::loss, true},
                  {}};
    figure.legend = "N";
    const auto sizes = values_of(runs, [&](const Run& run) { return size_of(run, active); });
    const auto experts = values_of(runs, [](const Run& run) { return *run.experts; });
    for (const double size : sizes) {
        const double shade = shade_of(size, sizes);
        Series line{"", Mark::line, shade, 0, {}, {}, {}};
        Series points{sizes.size() > 12 ? "" : format_quantity(size, Quantity::parameters),
                      Mark::points,
                      shade,
                      0,
                      {},
                      {},
                      {}};
        for (const Run* run : runs)
            if (size_of(*run, active) == size)
                points.x.push_back(*run->experts), points.y.push_back(run->loss);
        for (int step = 0; step <= 60; ++step) {
            const double at = *experts.begin() * std::pow(*experts.rbegin() / *experts.begin(), step / 60.0);
            line.x.push_back(at), line.y.push_back(std::exp(law.log_loss(size, at)));
        }
        figure.series.push_back(std::move(line));
        figure.series.push_back(std::move(points));
    }
    return figure;
}

Figure worth_figure(const std::vector<const Run*>& runs, bool active, const RoutedLaw& law,
                    const std::vector<RoutedLaw>& others, double widening) {
    Figure figure{
        "experts-worth",
        "What experts are worth in dense parameters",
        "Effective parameters as a multiple of the size that each token passes through: how much larger a "
        "dense model of the same loss is. Lines by size, with 95% bands.",
        {"experts", Quantity::number, true},
        {"effective parameters / N", Quantity::number, true},
        {}};
    figure.legend = "N";
    const auto sizes = values_of(runs, [&](const Run& run) { return size_of(run, active); });
    const auto experts = values_of(runs, [](const Run& run) { return *run.experts; });
    std::vector<double> shown(sizes.begin(), sizes.end());
    if (shown.size() > 4)
        shown = {shown.front(), shown[shown.size() / 3], shown[2 * shown.size() / 3], shown.back()};
    for (const double size : shown) {
        const double shade = shade_of(size, sizes);
        Series line{format_quantity(size, Quantity::parameters), Mark::line, shade, 0, {}, {}, {}};
        Series band{"", Mark::band, shade, 0, {}, {}, {}};
        for (int step = 0; step <= 40; ++step) {
            const double at = *experts.begin() * std::pow(*experts.rbegin() / *experts.begin(), step / 40.0);
            std::vector<double> spread;
            for (const RoutedLaw& other : others)
                spread.push_back(other.effective(size, at) / size);
            const Estimate worth = summarize(law.effective(size, at) / size, std::move(spread), widening);
            line.x.push_back(at), line.y.push_back(worth.value);
            if (std::isfinite(worth.low) && worth.low > 0)
                band.x.push_back(at), band.y.push_back(worth.low), band.upper.push_back(worth.high);
        }
        if (!band.x.empty()) figure.series.push_back(std::move(band));
        figure.series.push_back(std::move(line));
    }
    return figure;
}

Table validate(const std::vector<const Run*>& runs, bool active, bool saturates, const FitOptions& options) {
    std::vector<double> scale, observed;
    for (const Run* run : runs)
        scale.push_back(size_of(*run, active)), observed.push_back(run->loss);
    FitOptions once = options;
    once.bootstrap = 0;
    const auto cuts = expanding_window(
        scale, observed, linear + (saturates ? 4 : 2),
        [&](std::span<const std::size_t> fitted) -> std::optional<Predictor> {
            std::vector<const Run*> some;
            for (const std::size_t i : fitted)
                some.push_back(runs[i]);
            if (values_of(some, [&](const Run& run) { return size_of(run, active); }).size() < 2 ||
                values_of(some, [](const Run& run) { return *run.experts; }).size() < 2)
                return std::nullopt;
            const Data data(some, active);
            const ParametricFit found = fit_routed(data, saturates, once);
            if (found.refused) return std::nullopt;
            return [law = RoutedLaw::of(found.values), &runs, active](std::size_t i) {
                return std::exp(law.log_loss(size_of(*runs[i], active), *runs[i]->experts));
            };
        });
    return validation_table(cuts, {"parameters", "N", Quantity::parameters}, "loss");
}

}  // namespace

LawFit fit_experts(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "experts";
    fit.objective = to_string(options.objective);
    std::vector<const Run*> known;
    bool active = true;
    for (const Run& run : runs.used)
        if (run.experts && run.loss > 0 && (run.parameters > 0 || run.active_parameters)) {
            known.push_back(&run);
            active = active && run.active_parameters.has_value();
        }
    const std::size_t sizes = values_of(known, [&](const Run& run) { return size_of(run, active); }).size();
    const std::size_t counts = values_of(known, [](const Run& run) { return *run.experts; }).size();
    if (known.size() < linear + 3 || sizes < 2 || counts < 2) {
        fit.refused =
            Reason{Refusal::too_few_runs,
                   std::to_string(known.size()) + " runs of " + std::to_string(sizes) + " sizes and " +
                       std::to_string(counts) +
                       " numbers of experts (7 runs and 2 of each are needed for 4 coefficients) add "
                       "sizes and numbers of experts"};
        return fit;
    }
    const Data data(known, active);
    const bool enough = counts >= 5 && known.size() >= linear + 2 + 4;
    ParametricFit found = fit_routed(data, enough, options);
    bool saturates = enough;
    if (enough && found.refused) {
        fit.warnings.push_back({found.refused->kind, "saturation cannot be seen (" + found.refused->text +
                                                         "): E^ = E is fitted instead"});
        found = fit_routed(data, saturates = false, options);
    }
    fit.refused = found.refused;
    fit.warnings.insert(fit.warnings.end(), found.warnings.begin(), found.warnings.end());
    fit.notes = found.notes;
    if (found.minima.empty()) return fit;
    fit.objective_value = found.minima.front().value;
    fit.parameters = found.parameters;
    if (fit.refused) return fit;

    const RoutedLaw law = RoutedLaw::of(found.values);
    std::vector<RoutedLaw> others;
    for (const auto& replicate : found.replicates)
        others.push_back(RoutedLaw::of(replicate));
    fit.derived.push_back(derived(found, "size_cutoff", [](auto v) { return std::exp(-v[1] / v[2]); }));
    fit.tables.push_back(validate(known, active, saturates, options));
    fit.tables.push_back(effective_table(known, active, law, others, found.widening));
    fit.figures.push_back(loss_figure(known, active, law));
    fit.figures.push_back(worth_figure(known, active, law, others, found.widening));
    fit.notes.push_back(
        active ? "N is the active parameters of each token"
               : "N is the runs' parameters: it must be the size of the dense model whose layers were "
                 "given experts (name the column active_parameters where parameters are totals)");
    if (!saturates && !enough)
        fit.notes.push_back("with fewer than 5 numbers of experts saturation cannot be fitted: E^ = E");
    if (!(law.c > 0) || !(law.b < 0))
        fit.notes.push_back(
            "size_cutoff, where experts stop helping, means nothing here: it needs b < 0 < c");
    else
        fit.notes.push_back(
            "beyond " + format_quantity(law.cutoff(), Quantity::parameters) +
            " parameters (size_cutoff) more experts would no longer lower the loss, if the law held "
            "that far");
    std::set<long long> amounts;
    for (const Run* run : known)
        amounts.insert(std::llround(50 * std::log(std::max(run->tokens, 1.0))));
    if (amounts.size() > 1 && known.front()->tokens > 0)
        fit.warnings.push_back(
            {Refusal::mixed_conventions,
             "the runs differ in their tokens (the law knows sizes and experts only, and puts what "
             "data do down to them) compare runs of equal data"});
    return fit;
}

}  // namespace isogrid::analysis
