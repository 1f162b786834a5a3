#include "analysis/report/frontier_figures.hpp"

#include "analysis/figures/extent.hpp"
#include "analysis/laws/banded_line.hpp"

namespace isogrid::analysis {
namespace {

constexpr int samples = 60;

/// A law's optima from the first run to the last target.
struct LawOptima {
    const LawFit* fit;
    bool decides;
    std::vector<Prediction> predictions;

    /// Forms of the joint law that do not decide are to be seen, not to be looked at.
    bool in_the_background() const { return fit->surface && !decides; }
    int ink() const {
        if (in_the_background()) return fit->name == "joint_kaplan" ? 5 : fit->name == "overtraining" ? 6 : 4;
        return fit->name == "isoflop" ? 2 : fit->name == "envelope" ? 3 : 1;
    }
};

std::vector<LawOptima> optima_of(const Answer& answer) {
    Extent seen = extent_of(answer.runs.used, &Run::flops);
    for (const double target : answer.targets)
        seen.add(target);
    std::vector<LawOptima> frontiers;
    for (const LawFit& fit : answer.fits) {
        if (fit.refused || !(fit.predict || fit.surface)) continue;
        const bool decides = !answer.decisions.empty() && answer.decisions.front().law == fit.name;
        LawOptima& frontier = frontiers.emplace_back(LawOptima{&fit, decides, {}});
        for (const double flops : log_spaced(seen.low, seen.high, samples))
            frontier.predictions.push_back(prediction_of(fit, flops));
    }
    return frontiers;
}

/// Which part of an optimum a picture shows.
struct Part {
    Quantity quantity;
    double Optimum::*point;
    Estimate Prediction::*estimate;
};

void add_law(const LawOptima& frontier, const Part& part, Figure& figure) {
    BandedLine law(frontier.fit->name, std::nullopt, frontier.ink());
    for (const Prediction& prediction : frontier.predictions)
        law.add(prediction.flops, prediction.*part.estimate);
    if (frontier.in_the_background()) law.line.mark = Mark::dashes;
    // More than the bands of isoflop and of the law that decides would bury each other.
    else if (!law.band.x.empty() && frontier.fit->name != "envelope")
        figure.series.insert(figure.series.begin(), std::move(law.band));
    figure.series.push_back(std::move(law.line));
}

void add_points(const LawOptima& frontier, const Part& part, Figure& figure) {
    const LawFit& fit = *frontier.fit;
    Series points{
        "", fit.name == "isoflop" ? Mark::diamonds : Mark::dots, std::nullopt, frontier.ink(), {}, {}, {}};
    for (const Optimum& optimum : fit.optima)
        points.x.push_back(optimum.flops), points.y.push_back(optimum.*part.point);
    if (!points.x.empty()) figure.series.push_back(points);
}

Figure frontier_figure(const Answer& answer, const std::vector<LawOptima>& frontiers, Figure figure,
                       const Part& part) {
    for (const LawOptima& frontier : frontiers)
        add_law(frontier, part, figure);
    for (const LawOptima& frontier : frontiers)
        add_points(frontier, part, figure);
    Extent drawn;
    for (const Series& series : figure.series)
        for (const double value : series.y)
            drawn.add(value);
    for (std::size_t t = 0; t < answer.targets.size(); ++t)
        figure.series.push_back({t == 0 ? "target" : "",
                                 Mark::dashes,
                                 std::nullopt,
                                 0,
                                 {answer.targets[t], answer.targets[t]},
                                 {drawn.low, drawn.high},
                                 {}});
    return figure;
}

}  // namespace

std::vector<Figure> frontier_figures(const Answer& answer) {
    if (answer.predictions.empty()) return {};
    const std::vector<LawOptima> frontiers = optima_of(answer);
    const Axis compute{"training compute C (FLOPs)", Quantity::flops, true};
    const std::string shared =
        " Lines are the laws, bands their 95% intervals where drawn, broken lines forms of the joint law "
        "that "
        "do not decide, diamonds the best size of each isoFLOP budget, green points the envelope.";
    return {
        frontier_figure(answer, frontiers,
                        {"frontier-parameters",
                         "The best model size grows with compute",
                         "N* against C, out to the target." + shared,
                         compute,
                         {"best parameters N*", Quantity::parameters, true},
                         {}},
                        {Quantity::parameters, &Optimum::parameters, &Prediction::parameters}),
        frontier_figure(answer, frontiers,
                        {"frontier-tokens",
                         "So does the best amount of data",
                         "D* against C, out to the target." + shared,
                         compute,
                         {"best tokens D*", Quantity::tokens, true},
                         {}},
                        {Quantity::tokens, &Optimum::tokens, &Prediction::tokens}),
        frontier_figure(
            answer, frontiers,
            {"frontier-loss",
             "The loss to expect at the best size",
             "Loss at the optimum against C. Envelope and isoFLOP laws have no floor, so beyond the runs "
             "they are lower limits; a joint law approaches its floor, where it has one." +
                 shared,
             compute,
             {"loss at the optimum (nats a token)", Quantity::loss, false},
             {}},
            {Quantity::loss, &Optimum::loss, &Prediction::loss}),
    };
}

}  // namespace isogrid::analysis
