#include "analysis/laws/mixture_forms.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <Eigen/Dense>

#include "analysis/fit/parametric.hpp"
#include "analysis/laws/surface_runs.hpp"

namespace isogrid::analysis {
namespace {

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

MixtureForm fit_exponential(const Mixtures& data, const FitOptions& options) {
    MixtureForm form;
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
    std::vector<ReportedParameter> parameters = {{"c", 1e-3 * lowest, lowest, /*soft=*/true, /*floor=*/true},
                                                 {"k"}};
    for (const std::string& source : data.sources)
        parameters.push_back({"t." + source});
    ParametricFit found = fit_parametric({.model = exponential_model(data),
                                          .parameters = parameters,
                                          .report = report_exponential,
                                          .starts = starts,
                                          .repeats = repeats_of(data.runs)},
                                         options);
    form.refused = found.refused;
    form.warnings = found.warnings, form.notes = found.notes;
    form.parameters = found.parameters, form.widening = found.widening;
    if (found.minima.empty()) return form;
    form.objective = found.minima.front().value;
    const auto loss_of = [](std::vector<double> v) -> LossOfShares {
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

MixtureForm fit_scheffe(const Mixtures& data, bool products, const FitOptions& options) {
    MixtureForm form;
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
    const auto loss_of = [products](Eigen::VectorXd c) -> LossOfShares {
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
        const double scale = deviation * t_widening(freedom);
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

}  // namespace

MixtureForm fit_form(const std::string& name, const Mixtures& data, const FitOptions& options) {
    if (name == "exponential") return fit_exponential(data, options);
    return fit_scheffe(data, name == "quadratic", options);
}

double held_out_error(const std::string& name, const Mixtures& data, const FitOptions& options,
                      std::vector<double>* predicted) {
    FitOptions once = options;
    once.bootstrap = 0;
    const std::vector<std::size_t> fold_of = data.folds();
    double error = 0;
    predicted->assign(data.runs.size(), std::numeric_limits<double>::quiet_NaN());
    for (const std::size_t fold : std::set(fold_of.begin(), fold_of.end())) {
        const Mixtures some = data.without(fold, fold_of);
        const MixtureForm form = fit_form(name, some, once);
        if (form.refused || !form.loss) return std::numeric_limits<double>::quiet_NaN();
        for (std::size_t i = 0; i < data.runs.size(); ++i) {
            if (fold_of[i] != fold) continue;
            (*predicted)[i] = form.loss(data.shares[i]);
            error +=
                std::abs((*predicted)[i] / data.runs[i]->loss - 1) / static_cast<double>(data.runs.size());
        }
    }
    return error;
}

}  // namespace isogrid::analysis
