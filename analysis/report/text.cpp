// The answer for a terminal.
#include <algorithm>
#include <cmath>

#include "analysis/numbers.hpp"
#include "analysis/report/answer.hpp"
#include "analysis/report/sentences.hpp"
#include "analysis/report/text_lines.hpp"

namespace isogrid::analysis {
namespace {

/// A name that would push its numbers off the terminal stands above them.
std::string parameter_text(const Parameter& parameter) {
    constexpr std::size_t name_columns = 24;
    const Estimate& e = parameter.estimate;
    std::string numbers = padded(format_significant(e.value, 5), 12);
    if (std::isfinite(e.low) || std::isfinite(e.high))  // one end may be infinite
        numbers += padded("+/- " + format_significant(e.se, 2), 15) + "[" + format_significant(e.low, 4) +
                   ", " + format_significant(e.high, 4) + "]";
    while (numbers.ends_with(' '))
        numbers.pop_back();
    const std::string line = "  " + padded(parameter.name + " ", name_columns) + numbers;
    if (fits_the_terminal(line)) return line + "\n";
    return "  " + parameter.name + "\n  " + padded("", name_columns) + numbers + "\n";
}

std::string law_text(const LawFit& fit, std::size_t table_columns) {
    const Law& law = law_of(fit);
    std::string text = fit.name + ": " + std::string(law.title) + "\n";
    text += wrapped("  ", std::string(law.equation));
    text += wrapped("  ", std::string(law.source));
    if (fit.refused) text += wrapped("  REFUSED  ", to_string(*fit.refused));
    for (const Table& table : fit.tables)
        if (table.rows.size() <= 40)
            text += "\n" + wrapped("  ", table.title) + table_lines(table, table_columns);
    if (!fit.refused) {
        text += "\n";
        for (const Parameter& parameter : fit.parameters)
            text += parameter_text(parameter);
        for (const Parameter& parameter : fit.derived)
            text += parameter_text(parameter);
        text += "  " + padded("objective ", 24) + format_significant(fit.objective_value, 10) + "  (" +
                fit.objective + ")\n";
    }
    for (const Reason& warning : fit.warnings)
        text += wrapped("  warning  ", to_string(warning));
    for (const std::string& note : fit.notes)
        text += wrapped("  note     ", note);
    return text + "\n";
}

}  // namespace

std::string to_text(const Answer& answer, std::size_t table_columns) {
    const Runs& runs = answer.runs;
    std::string text = wrapped("", std::to_string(runs.used.size()) + " runs of " + runs.source + ", " +
                                       std::to_string(runs.rejected.size()) + " rejected");
    if (!runs.unfinished.empty()) text += wrapped("  so far   ", runs.unfinished);
    text += "  digest   " + runs.digest + "\n";
    text += wrapped("  N        ", runs.conventions.parameters);
    text += wrapped("  D        ", runs.conventions.tokens);
    text += wrapped("  C        ", runs.conventions.flops);
    text += wrapped("  loss     ", runs.conventions.loss);
    for (const auto* notes : {&runs.notes, &answer.notes})
        for (const std::string& note : *notes)
            text += wrapped("  note     ", note);
    for (const Reason& warning : answer.warnings)
        text += wrapped("  warning  ", to_string(warning));
    constexpr std::size_t listed = 10;
    for (std::size_t i = 0; i < std::min(listed, runs.rejected.size()); ++i)
        text += wrapped("  rejected ", runs.rejected[i].name + ": " + runs.rejected[i].reason);
    if (runs.rejected.size() > listed)
        text += "  rejected " + std::to_string(runs.rejected.size() - listed) + " more (see --json)\n";
    text += "\n";
    for (const LawFit& fit : answer.fits)
        text += law_text(fit, table_columns);
    std::string unasked;
    for (const NotAsked& law : answer.not_asked)
        unasked += (unasked.empty() ? "" : "; ") + law.law + " (" + describe(law) + ")";
    if (!unasked.empty()) text += wrapped("not asked  ", unasked) + "\n";
    const bool any =
        std::any_of(answer.fits.begin(), answer.fits.end(), [](const LawFit& f) { return !f.refused; });
    if (answer.predictions.empty())
        text += any ? "No recommendation: none of these laws knows a best size.\n"
                    : "No recommendation: no law stands.\n";
    for (const Prediction& prediction : answer.predictions)
        text += wrapped(padded(prediction.law, 9) + " ", describe(prediction));
    if (!answer.rivals.empty()) text += "\nother forms of the joint law, which do not decide:\n";
    for (const Prediction& rival : answer.rivals) {
        const std::string at = answer.targets.size() > 1
                                   ? " at " + format_quantity(rival.flops, Quantity::flops)
                                   : std::string();
        text += wrapped("  " + padded(rival.law + at, 16) + " ", describe_rival(rival));
    }
    for (const Decision& decision : answer.decisions) {
        text += "\n";
        const auto sentences = describe(decision);
        for (std::size_t i = 0; i < sentences.size(); ++i)
            text += wrapped(i == 0 ? "decision  " : "          ", sentences[i]);
    }
    if (const std::string words = describe_agreement(answer); !words.empty())
        text += "\n" + wrapped("", words);
    if (const std::string words = describe_compression(answer); !words.empty())
        text += "\n" + wrapped("", words);
    return text;
}

}  // namespace isogrid::analysis
