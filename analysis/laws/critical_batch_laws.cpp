#include "analysis/laws/critical_batch_laws.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>

namespace isogrid::analysis {
namespace {

constexpr std::size_t fewest_cells = 3;

constexpr std::array dependences = {
    Dependence{"parameters", "N", "parameters N", Quantity::parameters,
               [](const BatchCell& cell) { return cell.parameters; }},
    Dependence{"examples", "Emin", "least examples to the loss, Emin", Quantity::tokens,
               [](const BatchCell& cell) { return cell.law.examples_min(); }},
    Dependence{"loss", "L", "target loss (nats a token)", Quantity::loss,
               [](const BatchCell& cell) { return cell.loss; }}};

/// Published laws let every critical batch count the same; so does this one, unless some are known ten times
/// worse (in variance) than others.
Weighting weighting_of(const std::vector<LinePoint>& points) {
    constexpr double alike = 10;
    double least = std::numeric_limits<double>::infinity(), most = 0;
    for (const LinePoint& point : points)
        least = std::min(least, point.variance), most = std::max(most, point.variance);
    return most > alike * least && least > 0 ? Weighting::error : Weighting::equal;
}

std::optional<BatchLaw> fit_law(const Dependence& in, const std::vector<BatchCell>& cells,
                                const RedrawnSteps& redrawn, const StepsNoise& noise,
                                const FitOptions& options) {
    const std::vector<std::size_t> chosen = cells_for(in, cells);
    BatchLaw law;
    law.in = &in, law.low = std::numeric_limits<double>::infinity();
    std::vector<double> x, critical;
    std::vector<LinePoint> points, overhead_points;
    for (const std::size_t c : chosen) {
        const StepsLaw& steps = cells[c].law;
        x.push_back(in.of(cells[c]));
        critical.push_back(steps.critical());
        law.low = std::min(law.low, x.back()), law.high = std::max(law.high, x.back());
        const double batch = steps.overhead_batch(options.overhead_from);
        const double variance = std::pow(cells[c].error(noise.deviation), 2);
        const double share = StepsLaw::overhead * steps.critical() / batch;  // d log batch / d log Bcrit
        points.push_back({{std::log(x.back())}, steps.log_critical, variance, cells[c].parameters});
        overhead_points.push_back(
            {{std::log(x.back())}, std::log(batch), share * share * variance, cells[c].parameters});
    }
    if (chosen.size() < fewest_cells || !(law.high > law.low * 1.02)) return std::nullopt;
    std::vector<std::vector<double>> again, overhead_again;
    for (const auto& laws : redrawn) {
        again.emplace_back(), overhead_again.emplace_back();
        for (const std::size_t c : chosen) {
            again.back().push_back(laws[c].log_critical);
            overhead_again.back().push_back(std::log(laws[c].overhead_batch(options.overhead_from)));
        }
    }
    const Weighting weighting = weighting_of(points);
    law.line = fit_log_line(points, again, weighting, options);
    law.overhead_line = fit_log_line(overhead_points, overhead_again, weighting, options);
    law.cuts = line_validation(x, critical, points, weighting, fewest_cells);
    return law;
}

/// Cuts that laws in anything can be held against each other by: fitted to the cells of the small sizes,
/// tried on the cell that stands for each of the larger ones (cells_for), so that no curve is on both sides
/// of a cut. Where the sizes are fewer than three, along Emin, and tried on all cells above.
std::vector<Cut> cuts_beside_rivals(const Dependence& in, const std::vector<BatchCell>& cells,
                                    const StepsNoise& noise) {
    const Dependence &size = dependences[0], &examples = dependences[1];
    const bool by_size = cells_for(size, cells).size() >= fewest_cells;
    const Dependence& scale = by_size ? size : examples;
    const std::vector<std::size_t> tried = cells_for(scale, cells), chosen = cells_for(in, cells);
    const auto point = [&](std::size_t c) {
        return LinePoint{{std::log(in.of(cells[c]))},
                         cells[c].law.log_critical,
                         std::pow(cells[c].error(noise.deviation), 2),
                         cells[c].parameters};
    };
    std::vector<double> scales, critical;
    for (const std::size_t c : tried)
        scales.push_back(scale.of(cells[c])), critical.push_back(cells[c].law.critical());
    const std::size_t fewest = std::min(fewest_cells, tried.size() - 1);
    FitOptions once;
    once.bootstrap = 0;
    return expanding_window(
        scales, critical, fewest, [&](std::span<const std::size_t> fitted) -> std::optional<Predictor> {
            double cut = 0;
            for (const std::size_t i : fitted)
                cut = std::max(cut, scales[i]);
            std::vector<LinePoint> below;
            for (const std::size_t c : chosen)
                if (scale.of(cells[c]) <= cut) below.push_back(point(c));
            const LogLine line = fit_log_line(below, {}, weighting_of(below), once);
            if (line.coefficients.empty()) return std::nullopt;
            return [&, line, point](std::size_t i) { return std::exp(line.at(point(tried[i]).x)); };
        });
}

}  // namespace

std::string family_of_laws(const std::vector<BatchCell>& cells) {
    std::map<std::string, std::size_t> counts;
    for (const BatchCell& cell : cells)
        ++counts[cell.family];
    const auto most = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == counts.end() ? std::string{} : most->first;
}

std::vector<std::size_t> cells_for(const Dependence& in, const std::vector<BatchCell>& cells) {
    std::map<double, std::size_t> best;
    std::vector<std::size_t> chosen;
    const auto better = [&](const BatchCell& a, const BatchCell& b) {
        if (a.inside_batches() != b.inside_batches()) return a.inside_batches();
        return a.loss < b.loss;
    };
    const std::string family = family_of_laws(cells);
    for (std::size_t c = 0; c < cells.size(); ++c) {
        if (cells[c].family != family) continue;
        if (std::string_view(in.key) != "parameters") {
            chosen.push_back(c);
            continue;
        }
        const auto [at, fresh] = best.try_emplace(cells[c].parameters, c);
        if (!fresh && better(cells[c], cells[at->second])) at->second = c;
    }
    for (const auto& [parameters, c] : best)
        chosen.push_back(c);
    return chosen;
}

std::vector<BatchLaw> fit_batch_laws(const std::vector<BatchCell>& cells, const RedrawnSteps& redrawn,
                                     const StepsNoise& noise, const FitOptions& options) {
    std::vector<BatchLaw> laws;
    std::vector<std::vector<Cut>> cuts;
    for (const Dependence& in : dependences)
        if (auto law = fit_law(in, cells, redrawn, noise, options)) {
            laws.push_back(std::move(*law));
            cuts.push_back(cuts_beside_rivals(in, cells, noise));
        }
    const std::vector<double> errors = held_out_errors(cuts);
    for (std::size_t l = 0; l < laws.size(); ++l)
        laws[l].held_out = errors[l];
    return laws;
}

}  // namespace isogrid::analysis
