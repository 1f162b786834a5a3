#include "analysis/laws/mixture_figures.hpp"

#include "analysis/figures/extent.hpp"
#include "analysis/figures/numbers.hpp"
#include "analysis/laws/banded_line.hpp"

namespace isogrid::analysis {

Table form_table(const std::vector<MixtureForm>& forms, const std::string& chosen) {
    Table table{"forms",
                "Forms of the law, by the error of runs left out",
                {{"form", "form", Quantity::text},
                 {"coefficients", "coefficients", Quantity::number},
                 {"held_out_error", "held-out error", Quantity::percent},
                 {"status", "status", Quantity::text}},
                {}};
    for (const MixtureForm& form : forms)
        table.rows.push_back({form.name, static_cast<double>(form.coefficients), form.held_out,
                              std::string(form.refused          ? name(form.refused->kind)
                                          : form.name == chosen ? "chosen"
                                                                : "ok")});
    return table;
}

Figure trace_figure(const MixtureForm& form, const Mixtures& data, const Shares& best) {
    Figure figure{"mixture-traces",
                  "What each source's share does to the loss",
                  "Loss as one source's share changes while the others keep the proportions of the best "
                  "mixture (rings), "
                  "within the shares tried; bands are 95% intervals.",
                  {"share of the source", Quantity::number, false},
                  {"loss (nats a token)", Quantity::loss, false},
                  {}};
    figure.legend = "source";
    const std::size_t sources = data.sources.size();
    for (std::size_t j = 0; j < sources; ++j) {
        const double shade = sources > 1 ? static_cast<double>(j) / static_cast<double>(sources - 1) : 0.5;
        BandedLine line(data.sources[j], shade, 0);
        for (int step = 0; step <= 40; ++step) {
            const double share = data.low[j] + (data.high[j] - data.low[j]) * step / 40;
            Shares shares = best;
            const double rest = 1 - best[j];
            for (std::size_t k = 0; k < sources; ++k)
                shares[k] = k == j        ? share
                            : rest > 1e-9 ? best[k] * (1 - share) / rest
                                          : (1 - share) / static_cast<double>(sources - 1);
            const auto there = [&](const LossOfShares& loss) { return loss(shares); };
            line.add(share, estimated(form.loss, form.replicates, there, form.widening));
        }
        line.draw_into(figure);
        figure.series.push_back({"", Mark::rings, shade, 0, {best[j]}, {form.loss(best)}, {}});
    }
    if (sources == 2) {
        Series points{"runs", Mark::points, std::nullopt, 0, {}, {}, {}};
        for (std::size_t i = 0; i < data.runs.size(); ++i)
            points.x.push_back(data.shares[i][0]), points.y.push_back(data.runs[i]->loss);
        figure.series.push_back(std::move(points));
    }
    return figure;
}

Figure held_out_figure(const Mixtures& data, const std::vector<double>& predicted, const MixtureForm& form) {
    Figure figure{
        "mixture-held-out",
        "Losses of mixtures that the fit had not seen",
        "Each run's loss against what the law fitted without it (and a tenth of the others) predicts: mean "
        "error " +
            format_significant(100 * form.held_out, 2) + "%. Grey: no error.",
        {"predicted loss (nats a token)", Quantity::loss, false},
        {"measured loss (nats a token)", Quantity::loss, false},
        {}};
    Series points{"", Mark::points, std::nullopt, 2, {}, {}, {}};
    Extent seen;
    for (std::size_t i = 0; i < data.runs.size(); ++i) {
        points.x.push_back(predicted[i]), points.y.push_back(data.runs[i]->loss);
        seen.add(predicted[i]), seen.add(data.runs[i]->loss);
    }
    figure.series.push_back(
        {"", Mark::line, std::nullopt, 4, {seen.low, seen.high}, {seen.low, seen.high}, {}});
    figure.series.push_back(std::move(points));
    return figure;
}

}  // namespace isogrid::analysis
