// Approach 3 of Hoffmann et al. 2022: one law of size and data, fitted to every run at once.
#include "analysis/laws/joint.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>

#include <Eigen/Dense>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/students_t.hpp>

#include "analysis/laws/joint_model.hpp"
#include "analysis/laws/surface_form.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

ParametricLaw joint_law(const std::vector<Run>& runs) {
    const auto data = std::make_shared<const JointModel>(runs);
    const double lowest = std::exp(*std::min_element(data->log_loss.begin(), data->log_loss.end()));
    return {.model = {JointModel::parameters, runs.size(),
                      [data](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                          return data->residual(at, i, gradient);
                      },
                      [data](std::span<const double> at, std::span<double> values,
                             std::span<double> gradients) { data->residuals(at, values, gradients); }},
            .parameters = {{"E", 1e-3 * lowest, lowest, /*soft=*/true},
                           {"A", 0},
                           {"B", 0},
                           {"alpha", 0.01, 3},
                           {"beta", 0.01, 3}},
            .report =
                [data](std::span<const double> at) {
                    const JointLaw law = data->law(at);
                    return std::vector{law.E, law.A, law.B, law.alpha, law.beta};
                },
            .starts = data->starts(),
            .minimized_starts = std::numeric_limits<std::size_t>::max(),
            .rivals = {{3, 4}}};
}

JointLaw joint_of(std::span<const double> v) {
    return {v[0], v[1], v[2], v[3], v[4]};
}

double joint_loss(std::span<const double> v, double N, double D) {
    return joint_of(v).loss(N, D);
}

/// The same law with alpha = beta: one coordinate less, its derivatives added.
ParametricLaw equal_exponents(const ParametricLaw& law) {
    constexpr std::size_t shared = JointModel::alpha, other = JointModel::beta;
    const auto widen = [](std::span<const double> at) {
        return std::array{at[0], at[1], at[2], at[shared], at[shared]};
    };
    ParametricLaw same = law;
    same.model = {JointModel::parameters - 1, law.model.observations,
                  [widen, single = law.model.residual](std::span<const double> at, std::size_t i,
                                                       std::span<double> gradient) {
                      const auto place = widen(at);
                      if (gradient.empty()) return single(place, i, gradient);
                      std::array<double, JointModel::parameters> row{};
                      const double residual = single(place, i, row);
                      row[shared] += row[other];
                      std::copy_n(row.begin(), gradient.size(), gradient.begin());
                      return residual;
                  }};
    same.report = [widen, report = law.report](std::span<const double> at) { return report(widen(at)); };
    same.starts.clear();
    for (std::size_t s = 0; s < law.starts.size(); s += 7)
        same.starts.emplace_back(law.starts[s].begin(), law.starts[s].end() - 1);
    same.rivals.clear();
    same.certify = false;
    return same;
}

/// How often chance alone does so well as the freer of two laws, `extra` parameters of which the other lacks.
double chance(const Objective& objective, std::span<const double> fixed, std::span<const double> free,
              std::size_t parameters, std::size_t extra) {
    const double gain = std::max(0.0, deviance(objective, fixed) - deviance(objective, free));
    const double k = static_cast<double>(extra), freedom = static_cast<double>(free.size() - parameters);
    if (objective.kind == ObjectiveKind::l2) {  // exact for a linear law
        const double f = std::expm1(gain / static_cast<double>(free.size())) * freedom / k;
        return boost::math::cdf(complement(boost::math::fisher_f(k, freedom), f));
    }
    return boost::math::cdf(complement(boost::math::chi_squared(k), gain));
}

Table constrained_table(const Runs& runs, const FitOptions& options, const LawFit& fit) {
    Table table{"constrained",
                "Would one exponent do for both (p: of so much by chance)?",
                {{"form", "form", Quantity::text},
                 {"E", "E", Quantity::number},
                 {"A", "A", Quantity::number},
                 {"B", "B", Quantity::number},
                 {"alpha", "alpha", Quantity::number},
                 {"beta", "beta", Quantity::number},
                 {"objective", "objective", Quantity::number},
                 {"aic", "AIC", Quantity::number},
                 {"p", "p", Quantity::number}},
                {}};
    const auto row = [&](const std::string& form, std::span<const double> v, double objective,
                         std::span<const double> residuals, std::size_t parameters, double p) {
        table.rows.push_back({form, v[0], v[1], v[2], v[3], v[4], objective,
                              akaike(options.objective, residuals, parameters), p});
    };
    std::vector<double> free_values;
    for (const Parameter& parameter : fit.parameters)
        free_values.push_back(parameter.estimate.value);
    const auto free_residuals = log_residuals(runs.used, fit.surface->loss);
    row("free", free_values, fit.objective_value, free_residuals, JointModel::parameters, nan);
    FitOptions quick = options;
    quick.bootstrap = 0;
    quick.intervals = Intervals::bootstrap;
    const ParametricFit same = fit_parametric(equal_exponents(joint_law(runs.used)), quick);
    if (same.refused) return table;
    const auto residuals =
        log_residuals(runs.used, [&](double N, double D) { return joint_loss(same.values, N, D); });
    row("alpha = beta", same.values, same.minima.front().value, residuals, JointModel::parameters - 1,
        chance(options.objective, residuals, free_residuals, JointModel::parameters, 1));
    return table;
}

/// The mean of the residuals, and their trends, each against nothing (Besiroglu et al. 2024, section 3.2).
Table residual_table(const Runs& runs, const std::vector<double>& residuals) {
    Table table{"residuals",
                "Log loss above the law: its mean, and its slope by log10 of N, D and C",
                {{"of", "of", Quantity::text},
                 {"value", "value", Quantity::number},
                 {"se", "error", Quantity::number},
                 {"low", "2.5%", Quantity::number},
                 {"high", "97.5%", Quantity::number},
                 {"t", "t", Quantity::number},
                 {"p", "p", Quantity::number}},
                {}};
    const auto count = static_cast<double>(residuals.size());
    const auto row = [&](const std::string& of, double value, double se, double freedom) {
        const boost::math::students_t t(freedom);
        const double reach = boost::math::quantile(t, 0.975) * se;
        const double p = se > 0 ? 2 * boost::math::cdf(complement(t, std::abs(value / se))) : nan;
        table.rows.push_back({of, value, se, value - reach, value + reach, value / se, p});
    };
    double mean = 0, squares = 0;
    for (const double r : residuals)
        mean += r / count;
    for (const double r : residuals)
        squares += (r - mean) * (r - mean);
    row("mean", mean, std::sqrt(squares / (count - 1) / count), count - 1);
    for (const auto& [title, member] :
         {std::pair{"slope by N", &Run::parameters}, std::pair{"slope by D", &Run::tokens},
          std::pair{"slope by C", &Run::flops}}) {
        double middle = 0, spread = 0, together = 0;
        for (const Run& run : runs.used)
            middle += std::log10(run.*member) / count;
        for (std::size_t i = 0; i < residuals.size(); ++i) {
            const double x = std::log10(runs.used[i].*member) - middle;
            spread += x * x, together += x * residuals[i];
        }
        const double slope = together / spread;
        const double left = std::max(0.0, squares - slope * together);
        row(title, slope, std::sqrt(left / (count - 2) / spread), count - 2);
    }
    return table;
}

/// How far a given law lies from this one, in the replicates' own units (Besiroglu et al. 2024, section 3.3).
std::optional<Table> check_table(const GivenLaw& given, const ParametricFit& found) {
    constexpr Eigen::Index count = 5;
    if (found.replicates.size() < 20) return std::nullopt;
    const std::vector<double> law = {given.E, given.A, given.B, given.alpha, given.beta};
    Table table{"check",
                "The law given with --check against this one",
                {{"coordinates", "coordinates", Quantity::text},
                 {"chi_square", "chi-square of 5", Quantity::number},
                 {"p", "p", Quantity::number}},
                {}};
    for (const bool logarithms : {false, true}) {
        const auto place = [&](std::span<const double> values) {
            Eigen::VectorXd at(count);
            for (Eigen::Index p = 0; p < count; ++p) {
                const double value = values[static_cast<std::size_t>(p)];
                at[p] = logarithms && p < 3 ? std::log(value) : value;
            }
            return at;
        };
        Eigen::VectorXd mean = Eigen::VectorXd::Zero(count);
        for (const auto& replicate : found.replicates)
            mean += place(replicate) / static_cast<double>(found.replicates.size());
        Eigen::MatrixXd covariance = Eigen::MatrixXd::Zero(count, count);
        for (const auto& replicate : found.replicates) {
            const Eigen::VectorXd off = place(replicate) - mean;
            covariance += off * off.transpose() / static_cast<double>(found.replicates.size() - 1);
        }
        const Eigen::VectorXd off = place(law) - place(found.values);
        const double distance = off.dot(covariance.fullPivLu().solve(off));
        table.rows.push_back(
            {std::string(logarithms ? "log E, log A, log B, alpha, beta" : "E, A, B, alpha, beta"), distance,
             distance >= 0 ? boost::math::cdf(complement(boost::math::chi_squared(count), distance)) : nan});
    }
    return table;
}

}  // namespace

const SurfaceForm joint_form{"joint", "the joint law", joint_law, joint_loss, joint_of};

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
    SurfaceFit surface = fit_surface(joint_form, runs, options);
    LawFit& fit = surface.fit;
    if (fit.refused) return std::move(fit);
    for (const Parameter& parameter : fit.parameters)
        if (parameter.name != "A" && parameter.name != "B" &&
            parameter.estimate.se > parameter.estimate.value)
            fit.warnings.push_back(
                {Refusal::ill_conditioned,
                 parameter.name + " is " + format_significant(parameter.estimate.value, 3) +
                     " with a standard error of " + format_significant(parameter.estimate.se, 3) +
                     " (the runs hardly determine it) add budgets"});
    fit.tables.push_back(constrained_table(runs, options, fit));
    fit.tables.push_back(residual_table(runs, log_residuals(runs.used, fit.surface->loss)));
    if (options.check) {
        if (auto table = check_table(*options.check, surface.found))
            fit.tables.push_back(std::move(*table));
        else
            fit.notes.push_back(
                "no chi-square of the law given with --check: it needs 20 replicates or more");
    }
    fit.notes.push_back(
        "a mean residual or a slope whose p is below .05 says that the law is biased, or bends otherwise "
        "than the "
        "runs do (huber and l1 put the median residual near 0, not the mean)");
    return std::move(fit);
}

}  // namespace isogrid::analysis
