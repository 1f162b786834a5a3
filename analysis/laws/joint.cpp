// Approach 3 of Hoffmann et al. 2022: one law of size and data, fitted to every run at once.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>

#include <Eigen/Dense>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/students_t.hpp>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/joint_model.hpp"
#include "analysis/laws/surface_form.hpp"
#include "analysis/laws/surface_likelihood.hpp"

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
            .parameters = {{"E", 1e-3 * lowest, lowest, /*soft=*/true, /*floor=*/true},
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
    constexpr std::size_t shared = JointModel::alpha, other = JointModel::beta, last = JointModel::parameters;
    static_assert(shared + 2 == last && other + 1 == last);
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
                  },
                  [widen, all = law.model.all](std::span<const double> at, std::span<double> residuals,
                                               std::span<double> gradients) {
                      const std::size_t count = residuals.size();
                      std::vector<double> columns(last * count);
                      all(widen(at), residuals, columns);
                      for (std::size_t i = 0; i < count; ++i)
                          columns[shared * count + i] += columns[other * count + i];
                      std::copy_n(columns.begin(), gradients.size(), gradients.begin());
                  }};
    same.report = [widen, report = law.report](std::span<const double> at) { return report(widen(at)); };
    same.starts.clear();
    for (const auto& start : law.starts)
        if (start[shared] == start[other]) same.starts.emplace_back(start.begin(), start.end() - 1);
    same.rivals.clear();
    return same;
}

/// How often chance alone does so well as the freer of two laws, `extra` parameters of which the other lacks.
double chance(const Objective& objective, std::span<const double> fixed, std::span<const double> free,
              std::size_t parameters, std::size_t extra) {
    const SupposedErrors errors = errors_of(objective, free);
    const double gain = std::max(0.0, deviance(errors, fixed) - deviance(errors, free));
    const double k = static_cast<double>(extra), freedom = static_cast<double>(free.size() - parameters);
    if (objective.kind == ObjectiveKind::l2) {  // exact for a linear law
        const double f = std::expm1(gain / static_cast<double>(free.size())) * freedom / k;
        return boost::math::cdf(complement(boost::math::fisher_f(k, freedom), f));
    }
    return boost::math::cdf(complement(boost::math::chi_squared(k), gain));
}

ParametricLaw joint_law_of_one_exponent(const std::vector<Run>& runs) {
    return equal_exponents(joint_law(runs));
}

/// The law fitted, and beside it the same with one exponent more or less.
Table constrained_table(const Runs& runs, const FitOptions& options, const ParametricFit& found) {
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
    const auto row = [&](const std::string& form, std::span<const double> v, double objective, double aic,
                         double p) {
        table.rows.push_back({form, v[0], v[1], v[2], v[3], v[4], objective, aic, p});
    };
    FitOptions quick = options;
    quick.bootstrap = 0;
    quick.intervals = Intervals::bootstrap;
    ParametricLaw beside =
        options.equal_exponents ? joint_law(runs.used) : joint_law_of_one_exponent(runs.used);
    beside.certify = false;
    const ParametricFit other = fit_parametric(beside, quick);
    const ParametricFit &free = options.equal_exponents ? other : found,
                        &same = options.equal_exponents ? found : other;
    const auto residuals_of = [&](const ParametricFit& of) {
        return log_residuals(runs.used, [&](double N, double D) { return joint_loss(of.values, N, D); });
    };
    std::vector<double> free_residuals, same_residuals;
    if (!free.refused) free_residuals = residuals_of(free);
    if (!same.refused) same_residuals = residuals_of(same);
    const SupposedErrors errors =
        errors_of(options.objective, free.refused ? same_residuals : free_residuals);
    if (!free.refused)
        row("free", free.values, free.minima.front().value,
            akaike(errors, free_residuals, JointModel::parameters), nan);
    if (!same.refused)
        row("alpha = beta", same.values, same.minima.front().value,
            akaike(errors, same_residuals, JointModel::parameters - 1),
            free.refused
                ? nan
                : chance(options.objective, same_residuals, free_residuals, JointModel::parameters, 1));
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
        const double reach = student_reach(freedom) * se;
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
/// Of a law of one exponent the last of the five parameters says nothing new.
std::optional<Table> check_table(const JointLaw& given, const ParametricFit& found, bool one_exponent) {
    const Eigen::Index count = one_exponent ? 4 : 5;
    if (found.replicates.size() < 20) return std::nullopt;
    const std::vector<double> law = {given.E, given.A, given.B, given.alpha, given.beta};
    Table table{"check",
                "The law given with --check against this one",
                {{"coordinates", "coordinates", Quantity::text},
                 {"chi_square", "chi-square of " + std::to_string(count), Quantity::number},
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
            {std::string(logarithms ? "log E, log A, log B, alpha" : "E, A, B, alpha") +
                 (one_exponent ? "" : ", beta"),
             distance,
             distance >= 0 ? boost::math::cdf(complement(boost::math::chi_squared(count), distance)) : nan});
    }
    return table;
}

}  // namespace

const SurfaceForm joint_form{"joint", "the joint law", joint_law, joint_loss, joint_of};
const SurfaceForm one_exponent_form{"joint", "the joint law with alpha = beta", joint_law_of_one_exponent,
                                    joint_loss, joint_of};

LawFit fit_joint(const Runs& all, const FitOptions& options) {
    SurfaceFit surface = fit_surface(options.equal_exponents ? one_exponent_form : joint_form, all, options);
    LawFit& fit = surface.fit;
    const Runs& runs = surface.runs;
    if (options.equal_exponents)
        fit.notes.push_back(
            "alpha = beta was asked for (--constrain): N* and D* then grow alike, and their exponents of 1/2 "
            "are no finding. Whether the runs agree says p in the table of both forms");
    if (fit.refused) return std::move(fit);
    for (const Parameter& parameter : fit.parameters)
        if (parameter.name != "A" && parameter.name != "B" &&
            parameter.estimate.se > parameter.estimate.value)
            fit.warnings.push_back(
                {Refusal::ill_conditioned,
                 parameter.name + " is " + format_significant(parameter.estimate.value, 3) +
                     " with a standard error of " + format_significant(parameter.estimate.se, 3) +
                     " (the runs hardly determine it) add budgets"});
    fit.tables.push_back(constrained_table(runs, options, surface.found));
    fit.tables.push_back(residual_table(runs, log_residuals(runs.used, fit.surface->loss)));
    if (options.check) {
        if (options.equal_exponents && options.check->alpha != options.check->beta)
            fit.notes.push_back("no chi-square of the law given with --check: its alpha and beta differ");
        else if (auto table = check_table(*options.check, surface.found, options.equal_exponents))
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
