#include "analysis/laws/experts_figures.hpp"

#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "analysis/figures/extent.hpp"
#include "analysis/figures/numbers.hpp"
#include "analysis/laws/banded_line.hpp"

namespace isogrid::analysis {
namespace {

std::set<double> sizes_of(const std::vector<RoutedRun>& runs) {
    std::set<double> sizes;
    for (const RoutedRun& run : runs)
        sizes.insert(run.parameters);
    return sizes;
}

}  // namespace

RoutedLaws::RoutedLaws(const ParametricFit& found)
    : law(RoutedLaw::of(found.values)), widening(found.widening) {
    for (const auto& replicate : found.replicates)
        replicates.push_back(RoutedLaw::of(replicate));
}

Estimate RoutedLaws::effective(double parameters, double experts) const {
    const auto of = [&](const RoutedLaw& one) { return one.effective(parameters, experts); };
    return estimated(law, replicates, of, widening);
}

Estimate RoutedLaws::worth(double parameters, double experts) const {
    const auto of = [&](const RoutedLaw& one) { return one.effective(parameters, experts) / parameters; };
    return estimated(law, replicates, of, widening);
}

Table effective_table(const std::vector<RoutedRun>& runs, const RoutedLaws& laws) {
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
    for (const RoutedRun& run : runs) {
        const Estimate effective = laws.effective(run.parameters, run.experts);
        table.rows.push_back({run.name, run.parameters, run.experts, run.loss,
                              std::exp(laws.law.log_loss(run.parameters, run.experts)), effective.value,
                              effective.low, effective.high});
    }
    return table;
}

Figure loss_figure(const std::vector<RoutedRun>& runs, const RoutedLaw& law) {
    Figure figure{"experts-loss",
                  "Experts lower the loss, less so in larger models",
                  "Loss against the number of experts, one colour a size of the model that each token passes "
                  "through. Lines are the law; where they level off experts saturate.",
                  {"experts", Quantity::number, true},
                  {"loss (nats a token)", Quantity::loss, true},
                  {}};
    figure.legend = "N";
    const std::set<double> sizes = sizes_of(runs);
    const Extent experts = extent_of(runs, &RoutedRun::experts);
    for (const double size : sizes) {
        const double shade = extent_of(runs, &RoutedRun::parameters).place(size);
        const std::string label = sizes.size() > 12 ? "" : format_quantity(size, Quantity::parameters);
        Series line{"", Mark::line, shade, 0, {}, {}, {}}, points{label, Mark::points, shade, 0, {}, {}, {}};
        for (const RoutedRun& run : runs)
            if (run.parameters == size) points.x.push_back(run.experts), points.y.push_back(run.loss);
        for (const double at : log_spaced(experts.low, experts.high, 60))
            line.x.push_back(at), line.y.push_back(std::exp(law.log_loss(size, at)));
        figure.series.push_back(std::move(line));
        figure.series.push_back(std::move(points));
    }
    return figure;
}

Figure worth_figure(const std::vector<RoutedRun>& runs, const RoutedLaws& laws) {
    Figure figure{
        "experts-worth",
        "What experts are worth in dense parameters",
        "Effective parameters as a multiple of the size that each token passes through: how much larger a "
        "dense model of the same loss is. Lines by size, with 95% bands.",
        {"experts", Quantity::number, true},
        {"effective parameters / N", Quantity::number, true},
        {}};
    figure.legend = "N";
    const std::set<double> sizes = sizes_of(runs);
    std::vector<double> shown(sizes.begin(), sizes.end());
    if (shown.size() > 4)
        shown = {shown.front(), shown[shown.size() / 3], shown[2 * shown.size() / 3], shown.back()};
    const Extent experts = extent_of(runs, &RoutedRun::experts);
    for (const double size : shown) {
        BandedLine line(format_quantity(size, Quantity::parameters),
                        extent_of(runs, &RoutedRun::parameters).place(size), 0);
        for (const double at : log_spaced(experts.low, experts.high, 40))
            line.add(at, laws.worth(size, at));
        line.draw_into(figure);
    }
    return figure;
}

}  // namespace isogrid::analysis
