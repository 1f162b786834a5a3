#include "analysis/laws/knob_law.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/figures/numbers.hpp"
#include "analysis/fit/validation.hpp"

namespace isogrid::analysis {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

constexpr Regressor in_parameters{"parameters", "N", "parameters N", Quantity::parameters,
                                  [](const Sweep& sweep) { return sweep.parameters; }};
constexpr Regressor in_tokens{"tokens", "D", "tokens D", Quantity::tokens,
                              [](const Sweep& sweep) { return sweep.tokens; }};
constexpr Regressor in_loss{"loss", "L", "loss (nats a token)", Quantity::loss,
                            [](const Sweep& sweep) { return std::exp(sweep.bowl.minimum); }};

std::vector<double> place_of(const std::vector<Regressor>& in, const Sweep& sweep) {
    std::vector<double> x;
    for (const Regressor& regressor : in)
        x.push_back(std::log(regressor.of(sweep)));
    return x;
}

/// Correlation of log N and log D over the sweeps; 1 where one of them does not vary.
double correlation(const std::vector<UsableSweep>& sweeps) {
    double n = 0, d = 0, nn = 0, dd = 0, nd = 0;
    const auto count = static_cast<double>(sweeps.size());
    for (const UsableSweep& usable : sweeps) {
        n += std::log(usable.sweep->parameters) / count;
        d += std::log(usable.sweep->tokens) / count;
    }
    for (const UsableSweep& usable : sweeps) {
        const double a = std::log(usable.sweep->parameters) - n, b = std::log(usable.sweep->tokens) - d;
        nn += a * a, dd += b * b, nd += a * b;
    }
    return nn * dd > 0 ? std::abs(nd) / std::sqrt(nn * dd) : 1;
}

std::size_t different(const std::vector<UsableSweep>& sweeps, const Regressor& in) {
    constexpr double same = 1.01;
    std::vector<double> values;
    for (const UsableSweep& usable : sweeps)
        values.push_back(in.of(*usable.sweep));
    std::sort(values.begin(), values.end());
    std::size_t count = 0;
    for (auto begin = values.begin(); begin != values.end(); ++count)
        begin = std::upper_bound(begin, values.end(), *begin * same);
    return count;
}

std::vector<LinePoint> points_of(const KnobLaw& law, const SweepNoise& noise) {
    std::vector<LinePoint> points;
    for (const UsableSweep& usable : law.sweeps) {
        const std::size_t knob = knob_of(*usable.sweep, law.batch);
        const Bowl& bowl = usable.sweep->bowl;
        points.push_back({place_of(law.in, *usable.sweep), bowl.vertex[knob],
                          noise.deviation * noise.deviation * bowl.vertex_variance[knob]});
    }
    return points;
}

}  // namespace

std::size_t knob_of(const Sweep& sweep, bool batch) {
    return batch ? sweep.batch_knob() : sweep.learning_rate_knob();
}

std::vector<Regressor> choose_regressors(const std::vector<UsableSweep>& sweeps, const std::string& what,
                                         LawFit& fit) {
    const std::size_t sizes = different(sweeps, in_parameters), amounts = different(sweeps, in_tokens);
    const bool known = sweeps.front().sweep->parameters > 0 && sweeps.front().sweep->tokens > 0;
    if (sweeps.size() < 3) return {};
    if (known && sizes >= 2 && amounts >= 2 && sweeps.size() >= 4) {
        if (correlation(sweeps) < 0.98) return {in_parameters, in_tokens};
        fit.warnings.push_back({Refusal::not_separable,
                                "size and data grew together (correlation of their logarithms " +
                                    format_significant(correlation(sweeps), 3) + "): the law of the " + what +
                                    " is in the size alone; vary the data at one size to tell them apart"});
    }
    if (sizes >= 3) return {in_parameters};
    if (amounts >= 3 && sweeps.front().sweep->tokens > 0) return {in_tokens};
    return {};
}

bool put_in_loss(KnobLaw& law) {
    law.in = {in_loss};
    return different(law.sweeps, in_loss) >= 3;
}

void fit_line(KnobLaw& law, const SweepNoise& noise, const std::vector<std::vector<Bowl>>& redrawn,
              const FitOptions& options) {
    std::vector<std::vector<double>> again;
    for (const auto& bowls : redrawn) {
        again.emplace_back();
        for (const UsableSweep& usable : law.sweeps) {
            const Bowl& bowl = bowls[usable.which];
            again.back().push_back(bowl.refused ? none : bowl.vertex[knob_of(*usable.sweep, law.batch)]);
        }
    }
    law.line = fit_log_line(points_of(law, noise), again, Weighting::error, options);
}

std::vector<Cut> cuts_by_compute(const KnobLaw& law, const SweepNoise& noise, std::size_t fewest) {
    std::vector<double> compute, observed;
    for (const UsableSweep& usable : law.sweeps) {
        const Sweep& sweep = *usable.sweep;
        compute.push_back((sweep.parameters > 0 ? 6 * sweep.parameters : 1) *
                          (sweep.tokens > 0 ? sweep.tokens : 1));
        observed.push_back(std::exp(sweep.bowl.vertex[knob_of(sweep, law.batch)]));
    }
    return line_validation(compute, observed, points_of(law, noise), Weighting::error, fewest);
}

void tell_validation(const KnobLaw& law, const SweepNoise& noise, LawFit& fit) {
    std::vector<double> scale, observed;
    for (const UsableSweep& usable : law.sweeps) {
        const Sweep& sweep = *usable.sweep;
        scale.push_back(law.in.size() > 1 ? 6 * sweep.parameters * sweep.tokens : law.in.front().of(sweep));
        observed.push_back(std::exp(sweep.bowl.vertex[knob_of(sweep, law.batch)]));
    }
    const auto cuts =
        line_validation(scale, observed, points_of(law, noise), Weighting::error, law.in.size() + 2);
    const Regressor& in = law.in.front();
    tell_validation(cuts,
                    law.in.size() > 1 ? Column{"flops", "6 N D", Quantity::flops}
                                      : Column{in.key, in.symbol, in.quantity},
                    law.batch ? "batch" : "learning rate", fit,
                    law.batch ? "validation_batch" : "validation");
}

}  // namespace isogrid::analysis
