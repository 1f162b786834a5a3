// The shapes that a loss may have over one variable: data, size or compute.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "analysis/fit/parametric.hpp"

namespace isogrid::analysis {

/// One observation of the loss.
struct CurvePoint {
    double x = 0, loss = 0;
};

/// A shape in the optimizer's coordinates, over z = log(x / middle), and in those of people.
struct CurveForm {
    std::string_view name;      ///< `power law with floor`
    std::string_view equation;  ///< in x
    std::vector<ReportedParameter> parameters;
    /// Log loss at z; fills the gradient unless that is empty.
    std::function<double(std::span<const double> at, double z, std::span<double> gradient)> log_loss;
    /// From the optimizer's coordinates to the parameters, x measured from log_middle.
    std::function<std::vector<double>(std::span<const double> at, double log_middle)> report;
    /// Loss at x by the parameters.
    double (*loss)(std::span<const double> parameters, double x);
    /// Places to start from, given the points' z and loss.
    std::vector<std::vector<double>> (*starts)(std::span<const double> z, std::span<const double> loss);
};

/// E + A x^-alpha first, then A x^-alpha, E + A exp(-x / k), E + A (x + x0)^-alpha and a - b log x.
std::span<const CurveForm> curve_forms();

/// A form fitted by least squares of log loss.
struct FittedForm {
    const CurveForm* form = nullptr;
    std::vector<double> parameters;
    double squares = 0;  ///< of the residuals of log loss
    bool sound = false;  ///< it converged, with every parameter inside its bounds

    double loss(double x) const { return form->loss(parameters, x); }
};

/// What the optimizer needs of a form on these points; `points` must outlive it.
ParametricLaw law_of(const CurveForm& form, std::span<const CurvePoint> points);

FittedForm fit_form(const CurveForm& form, std::span<const CurvePoint> points);

}  // namespace isogrid::analysis
