// Approach 3 of Hoffmann et al. 2022: one law of size and data, fitted to every run at once.
#include "analysis/laws/joint.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "analysis/fit/minimize.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

constexpr std::size_t parameters = 5;
enum Place : std::size_t { log_E, log_a, log_b, alpha, beta };

/// The law in the form it is fitted: log L = log(exp(e) + exp(a - alpha n) + exp(b - beta d)), with n = log N
/// and d = log D measured from their means. Hoffmann et al. fit the same sum (section D.3) uncentred;
/// centring takes the correlation of a with alpha and of b with beta out of the optimizer's way.
struct LogLaw {
    std::vector<double> log_n, log_d, log_loss;
    double mean_n = 0, mean_d = 0;

    explicit LogLaw(const std::vector<Run>& runs) {
        for (const Run& run : runs) {
            log_n.push_back(std::log(run.parameters));
            log_d.push_back(std::log(run.tokens));
            log_loss.push_back(std::log(run.loss));
            mean_n += log_n.back() / static_cast<double>(runs.size());
            mean_d += log_d.back() / static_cast<double>(runs.size());
        }
        for (std::size_t i = 0; i < runs.size(); ++i)
            log_n[i] -= mean_n, log_d[i] -= mean_d;
    }

    double residual(std::span<const double> at, std::size_t i, std::span<double> gradient) const {
        const double size = at[log_a] - at[alpha] * log_n[i], data = at[log_b] - at[beta] * log_d[i];
        const double top = std::max({at[log_E], size, data});
        const double e = std::exp(at[log_E] - top), n = std::exp(size - top), d = std::exp(data - top);
        const double sum = e + n + d;
        if (!gradient.empty()) {
            gradient[log_E] = e / sum;
            gradient[log_a] = n / sum;
            gradient[log_b] = d / sum;
            gradient[alpha] = -log_n[i] * n / sum;
            gradient[beta] = -log_d[i] * d / sum;
        }
        return top + std::log(sum) - log_loss[i];
    }

    ResidualModel model() const {
        return {parameters, log_loss.size(),
                [this](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                    return residual(at, i, gradient);
                }};
    }

    JointLaw law(std::span<const double> at) const {
        return {std::exp(at[log_E]), std::exp(at[log_a] + at[alpha] * mean_n),
                std::exp(at[log_b] + at[beta] * mean_d), at[alpha], at[beta]};
    }

    /// A grid as in Hoffmann et al., section D.3, but in shares of the losses at hand, so that it suits runs
    /// of any scale: what the floor, the size term and the data term make of a typical loss.
    std::vector<std::vector<double>> starts() const {
        const double lowest = *std::min_element(log_loss.begin(), log_loss.end());
        std::vector<std::vector<double>> grid;
        for (const double floor : {0.05, 0.3, 0.6, 0.9})
            for (const double size : {0.02, 0.1, 0.4})
                for (const double data : {0.02, 0.1, 0.4})
                    for (const double a : {0.1, 0.25, 0.5, 0.8, 1.2})
                        for (const double b : {0.1, 0.25, 0.5, 0.8, 1.2})
                            grid.push_back({lowest + std::log(floor), lowest + std::log(size),
                                            lowest + std::log(data), a, b});
        return grid;
    }
};

constexpr std::size_t minimized_starts = 24, bootstrap_starts = 3;

std::size_t distinct(const std::vector<double>& values) {
    return std::set<double>(values.begin(), values.end()).size();
}

std::optional<Reason> too_few(const Runs& runs, const LogLaw& data) {
    constexpr std::size_t fewest_runs = parameters + 3, fewest_sizes = 3;
    const std::string count = std::to_string(runs.used.size()) + " runs";
    if (runs.used.size() < fewest_runs)
        return Reason{Refusal::too_few_runs, count + " (" + std::to_string(fewest_runs) +
                                                 " are needed for 5 parameters) run more trials"};
    if (distinct(data.log_n) < fewest_sizes || distinct(data.log_d) < fewest_sizes)
        return Reason{
            Refusal::too_few_runs,
            count + " of " + std::to_string(distinct(data.log_n)) + " sizes and " +
                std::to_string(distinct(data.log_d)) +
                " token counts (3 of each are needed to see an exponent and a floor) vary both more"};
    return std::nullopt;
}

/// Exponents outside these bounds say that the term is a constant or a wall, not a power law.
std::optional<Reason> on_bound(const JointLaw& law) {
    constexpr double low = 0.01, high = 3;
    for (const auto& [symbol, term, value] :
         {std::tuple{"alpha", "size", law.alpha}, std::tuple{"beta", "data", law.beta}})
        if (!(value > low && value < high))
            return Reason{Refusal::on_bound, std::string(symbol) + " ended at " +
                                                 format_significant(value, 3) +
                                                 " (outside 0.01 to 3: the runs show no power law of " +
                                                 term + ") vary it over more decades"};
    return std::nullopt;
}

/// FLOPs per parameter and token, C / (N D), at the largest budget: 6 under the approximation C = 6 N D.
double flops_per_parameter_token(const std::vector<Run>& runs) {
    const double largest =
        std::max_element(runs.begin(), runs.end(), [](auto& a, auto& b) { return a.flops < b.flops; })->flops;
    std::vector<double> factors;
    for (const Run& run : runs)
        if (run.flops > 0.5 * largest) factors.push_back(run.flops / (run.parameters * run.tokens));
    std::sort(factors.begin(), factors.end());
    return quantile(factors, 0.5);
}

Figure residual_figure(const Runs& runs, const JointLaw& law) {
    Figure figure{
        "joint-residuals",
        "What the joint law leaves unexplained",
        "Each run's measured loss against the law's, in percent. A trend along the axis, or budgets "
        "lying apart, would say that the law has the wrong form.",
        {"training compute C (FLOPs)", Quantity::flops, true},
        {"loss above the law (%)", Quantity::number, false},
        {}};
    Series zero{"", Mark::line, std::nullopt, 4, {}, {}, {}};
    double low = std::numeric_limits<double>::infinity(), high = 0, least = low, most = 0;
    for (const Run& run : runs.used) {
        low = std::min(low, run.flops), high = std::max(high, run.flops);
        least = std::min(least, run.parameters), most = std::max(most, run.parameters);
    }
    zero.x = {low / 1.3, high * 1.3}, zero.y = {0, 0};
    figure.series.push_back(zero);
    for (const Run& run : runs.used) {
        Series point{"", Mark::points, std::nullopt, 0, {run.flops}, {}, {}};
        point.shade = most > least ? std::log(run.parameters / least) / std::log(most / least) : 0.5;
        point.y = {100 * (run.loss / law.loss(run.parameters, run.tokens) - 1)};
        figure.series.push_back(std::move(point));
    }
    figure.caption += " Dark points are small models, light ones large.";
    return figure;
}

void warn(LawFit& fit, const JointLaw& law, const std::vector<Minimum>& minima, double lowest_loss) {
    const double best = minima.front().value;
    const auto agreeing = std::count_if(minima.begin(), minima.end(), [&](const Minimum& m) {
        return m.value <= best * (1 + 1e-5) + 1e-300;
    });
    fit.notes.push_back(std::to_string(agreeing) + " of " + std::to_string(minima.size()) +
                        " minimized starts reach the lowest objective");
    if (agreeing < 2)
        fit.warnings.push_back(
            {Refusal::not_converged,
             "only one start reaches the lowest objective (another grid might find a lower "
             "one) read the parameters with care"});
    if (law.E < 1e-3 * lowest_loss)
        fit.warnings.push_back(
            {Refusal::on_bound,
             "E ended at 0 (the runs do not come near enough to the irreducible loss to show "
             "it) do not extrapolate the loss far beyond them"});
    for (const Parameter& parameter : fit.parameters)
        if (parameter.name != "A" && parameter.name != "B" &&
            parameter.estimate.se > parameter.estimate.value)
            fit.warnings.push_back(
                {Refusal::ill_conditioned,
                 parameter.name + " is " + format_significant(parameter.estimate.value, 3) +
                     " with a standard error of " + format_significant(parameter.estimate.se, 3) +
                     " (the runs hardly determine it) add budgets"});
}

}  // namespace

double JointLaw::loss(double N, double D) const {
    return E + A * std::pow(N, -alpha) + B * std::pow(D, -beta);
}

JointLaw::Optimum JointLaw::optimum(double flops, double flops_per_parameter_token) const {
    const double product = flops / flops_per_parameter_token;
    // In logs: A and B are astronomical when a fit goes astray, and must not overflow.
    const double log_G = (std::log(alpha) + std::log(A) - std::log(beta) - std::log(B)) / (alpha + beta);
    Optimum best;
    best.parameters = std::exp(log_G + beta / (alpha + beta) * std::log(product));
    best.tokens = product / best.parameters;
    best.loss = loss(best.parameters, best.tokens);
    return best;
}

LawFit fit_joint(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "joint";
    fit.objective = to_string(options.objective);
    const LogLaw data(runs.used);
    if ((fit.refused = too_few(runs, data))) return fit;

    const ResidualModel model = data.model();
    const std::vector<Minimum> minima =
        minimize_from_many(model, options.objective, {}, data.starts(), minimized_starts);
    if (minima.empty()) {
        fit.refused = Reason{Refusal::not_converged,
                             "no start gives a finite objective (losses or counts are "
                             "out of range) check the runs"};
        return fit;
    }
    const Minimum& best = minima.front();
    const JointLaw law = data.law(best.at);
    fit.objective_value = best.value;

    // Replicates start from the few best distinct optima: where a second one is nearly as good, resampling
    // may well prefer it, and that belongs into the interval.
    std::vector<std::vector<double>> optima;
    for (const Minimum& minimum : minima)
        if (optima.size() < bootstrap_starts && (optima.empty() || minimum.value > best.value * (1 + 1e-3)) &&
            minimum.value < 2 * best.value)
            optima.push_back(minimum.at);
    const auto replicates =
        bootstrap(options.bootstrap, options.seed, [&](Random& random) -> std::optional<std::vector<double>> {
            const std::vector<double> weights = resample(runs.used.size(), random);
            const auto refit = minimize_from_many(model, options.objective, weights, optima, optima.size());
            if (refit.empty()) return std::nullopt;
            const JointLaw again = data.law(refit.front().at);
            if (on_bound(again)) return std::nullopt;  // what would be refused counts as no fit
            return std::vector{again.E, again.A, again.B, again.alpha, again.beta};
        });

    const std::array<double, parameters> values = {law.E, law.A, law.B, law.alpha, law.beta};
    const std::array<const char*, parameters> names = {"E", "A", "B", "alpha", "beta"};
    for (std::size_t p = 0; p < parameters; ++p)
        fit.parameters.push_back({names[p], summarize(values[p], replicates, p)});
    const auto derive = [&](const std::string& name, const std::function<double(const JointLaw&)>& of) {
        std::vector<double> spread;
        for (const auto& r : replicates)
            spread.push_back(of({r[0], r[1], r[2], r[3], r[4]}));
        fit.derived.push_back({name, summarize(of(law), std::move(spread))});
    };
    derive("parameters_exponent", [](const JointLaw& l) { return l.beta / (l.alpha + l.beta); });
    derive("tokens_exponent", [](const JointLaw& l) { return l.alpha / (l.alpha + l.beta); });

    if (!best.converged)
        fit.refused =
            Reason{Refusal::not_converged,
                   "the optimizer was still descending when it ran out of restarts (the objective has "
                   "no minimum within reach) add runs, or use another --objective"};
    else if (!best.moved && best.value > 0)
        fit.refused =
            Reason{Refusal::did_not_move,
                   "the optimizer ended at its start (no descent direction was found) check the runs"};
    else if ((fit.refused = on_bound(law)))
        ;
    else if (const double condition = condition_number(model, best.at); !(condition < 1e7))
        fit.refused = Reason{Refusal::ill_conditioned,
                             "the parameters cannot be told apart (condition number " +
                                 format_significant(condition, 2) + ") vary size and data independently"};
    if (fit.refused) return fit;

    const auto lowest = std::min_element(data.log_loss.begin(), data.log_loss.end());
    warn(fit, law, minima, std::exp(*lowest));
    if (replicates.size() < options.bootstrap) {
        const std::size_t lost = options.bootstrap - replicates.size();
        const std::string share = std::to_string(lost) + " of " + std::to_string(options.bootstrap) +
                                  " resamples give no acceptable law";
        if (lost * 20 > options.bootstrap)
            fit.warnings.push_back(
                {Refusal::ill_conditioned, share + " (it hangs on a few runs; the intervals leave "
                                                   "those resamples out) add runs"});
        else
            fit.notes.push_back(share + "; the intervals leave them out");
    }
    const double factor = flops_per_parameter_token(runs.used);
    fit.notes.push_back("the optimum at a budget assumes C = " + format_significant(factor, 4) +
                        " N D, as at the largest budget");
    fit.figures.push_back(residual_figure(runs, law));
    fit.predict = [law, factor, replicates](double flops) {
        std::vector<double> sizes, tokens, losses;
        for (const auto& r : replicates) {
            const auto again = JointLaw{r[0], r[1], r[2], r[3], r[4]}.optimum(flops, factor);
            sizes.push_back(again.parameters), tokens.push_back(again.tokens), losses.push_back(again.loss);
        }
        const auto optimum = law.optimum(flops, factor);
        return Prediction{"joint", flops, summarize(optimum.parameters, std::move(sizes)),
                          summarize(optimum.tokens, std::move(tokens)),
                          summarize(optimum.loss, std::move(losses))};
    };
    return fit;
}

}  // namespace isogrid::analysis
