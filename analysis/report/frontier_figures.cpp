#include "analysis/report/frontier_figures.hpp"

#include "analysis/extent.hpp"
#include "analysis/laws/banded_line.hpp"

namespace isogrid::analysis {
namespace {

constexpr int samples = 60;

int ink_of(const std::string& law) {
    return law == "isoflop" ? 2 : law == "envelope" ? 3 : 1;
}

/// Laws that are drawn: of those that know a loss surface only the one that decides, as they lie on each
/// other.
bool is_drawn(const LawFit& fit, const Answer& answer) {
    if (fit.refused || !fit.predict) return false;
    return !fit.surface || answer.decisions.empty() || answer.decisions.front().law == fit.name;
}

/// Which part of an optimum a picture shows.
struct Part {
    Quantity quantity;
    double Optimum::*point;
    Estimate Prediction::*estimate;
};

void add_law(const LawFit& fit, const Part& part, const Extent& seen, Figure& figure) {
    BandedLine law(fit.name, std::nullopt, ink_of(fit.name));
    for (const double flops : log_spaced(seen.low, seen.high, samples))
        law.add(flops, fit.predict(flops).*part.estimate);
    // The envelope's staircase and both bands of isoflop and joint would bury each other: one band a picture.
    if (!law.band.x.empty() && fit.name != "envelope")
        figure.series.insert(figure.series.begin(), std::move(law.band));
    figure.series.push_back(std::move(law.line));
}

void add_points(const LawFit& fit, const Part& part, Figure& figure) {
    Series points{
        "", fit.name == "isoflop" ? Mark::diamonds : Mark::dots, std::nullopt, ink_of(fit.name), {}, {}, {}};
    for (const Optimum& optimum : fit.optima)
        points.x.push_back(optimum.flops), points.y.push_back(optimum.*part.point);
    if (!points.x.empty()) figure.series.push_back(points);
}

Figure frontier_figure(const Answer& answer, Figure figure, const Part& part) {
    Extent seen = extent_of(answer.runs.used, &Run::flops);
    for (const double target : answer.targets)
        seen.add(target);
    for (const LawFit& fit : answer.fits)
        if (is_drawn(fit, answer)) add_law(fit, part, seen, figure);
    for (const LawFit& fit : answer.fits)
        if (is_drawn(fit, answer)) add_points(fit, part, figure);
    Extent drawn;
    for (const Series& series : figure.series)
        for (const double value : series.y)
            drawn.add(value);
    for (std::size_t t = 0; t < answer.targets.size(); ++t)
        figure.series.push_back({t == 0 ? "target" : "",
                                 Mark::dashes,
                                 std::nullopt,
                                 4,
                                 {answer.targets[t], answer.targets[t]},
                                 {drawn.low, drawn.high},
                                 {}});
    return figure;
}

}  // namespace

std::vector<Figure> frontier_figures(const Answer& answer) {
    if (answer.predictions.empty()) return {};
    const Axis compute{"training compute C (FLOPs)", Quantity::flops, true};
    const std::string shared =
        " Lines are the laws, bands their 95% intervals where drawn, diamonds the best size "
        "of each isoFLOP budget, green points the envelope.";
    return {
        frontier_figure(answer,
                        {"frontier-parameters",
                         "The best model size grows with compute",
                         "N* against C, out to the target." + shared,
                         compute,
                         {"best parameters N*", Quantity::parameters, true},
                         {}},
                        {Quantity::parameters, &Optimum::parameters, &Prediction::parameters}),
        frontier_figure(answer,
                        {"frontier-tokens",
                         "So does the best amount of data",
                         "D* against C, out to the target." + shared,
                         compute,
                         {"best tokens D*", Quantity::tokens, true},
                         {}},
                        {Quantity::tokens, &Optimum::tokens, &Prediction::tokens}),
        frontier_figure(
            answer,
            {"frontier-loss",
             "The loss to expect at the best size",
             "Loss at the optimum against C. Envelope and isoFLOP laws have no floor, so beyond the runs "
             "they are lower limits; the joint law approaches its E." +
                 shared,
             compute,
             {"loss at the optimum (nats a token)", Quantity::loss, false},
             {}},
            {Quantity::loss, &Optimum::loss, &Prediction::loss}),
    };
}

}  // namespace isogrid::analysis
