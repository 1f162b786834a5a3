// The answer for a terminal.
#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/figures/numbers.hpp"
#include "analysis/report/report.hpp"
#include "analysis/report/sentences.hpp"
#include "analysis/report/text_lines.hpp"
#include "program/paragraph.hpp"

namespace isogrid::analysis {
namespace {

/// How wide it may be: sentences take 80 columns at most, tables all that there are.
struct Page {
    int columns;
    std::size_t table_columns;

    explicit Page(int of_terminal)
        : columns(of_terminal > 0 ? std::min(80, of_terminal) : 80),
          table_columns(of_terminal > 0 ? static_cast<std::size_t>(of_terminal)
                                        : std::numeric_limits<std::size_t>::max()) {}

    /// `words` with `head` in front, and with as many blanks in front of later lines.
    std::string lines(const std::string& head, const std::string& words) const {
        return program::wrapped(head, words, program::columns_of(head), columns);
    }
};

/// A name that would push its numbers off the terminal stands above them.
std::string parameter_text(const Page& page, const Parameter& parameter) {
    constexpr std::size_t name_columns = 24;
    const Estimate& e = parameter.estimate;
    std::string numbers = padded(format_significant(e.value, 5), 12);
    if (std::isfinite(e.low) || std::isfinite(e.high))  // one end may be infinite
        numbers += padded("+/- " + format_significant(e.se, 2), 15) + "[" + format_significant(e.low, 4) +
                   ", " + format_significant(e.high, 4) + "]";
    while (numbers.ends_with(' '))
        numbers.pop_back();
    const std::string line = "  " + padded(parameter.name + " ", name_columns) + numbers;
    if (program::columns_of(line) <= static_cast<std::size_t>(page.columns)) return line + "\n";
    return "  " + parameter.name + "\n  " + padded("", name_columns) + numbers + "\n";
}

std::string law_text(const Page& page, const LawFit& fit) {
    const Law& law = law_of(fit);
    std::string text = fit.name + ": " + std::string(law.title) + "\n";
    text += page.lines("  ", std::string(law.equation));
    text += page.lines("  ", std::string(law.source));
    if (fit.refused) text += page.lines("  REFUSED  ", to_string(*fit.refused));
    for (const Table& table : fit.tables)
        if (table.rows.size() <= 40)
            text += "\n" + page.lines("  ", table.title) + table_lines(table, page.table_columns);
    if (!fit.refused) {
        text += "\n";
        for (const Parameter& parameter : fit.parameters)
            text += parameter_text(page, parameter);
        for (const Parameter& parameter : fit.derived)
            text += parameter_text(page, parameter);
        text += "  " + padded("objective ", 24) + format_significant(fit.objective_value, 10) + "  (" +
                fit.objective + ")\n";
    }
    for (const Reason& warning : fit.warnings)
        text += page.lines("  warning  ", to_string(warning));
    for (const std::string& note : fit.notes)
        text += page.lines("  note     ", note);
    return text + "\n";
}

/// Whose runs these are, by which conventions, and what is odd about them.
std::string runs_text(const Page& page, const Answer& answer) {
    const Runs& runs = answer.runs;
    std::string text = page.lines("", std::to_string(runs.used.size()) + " runs of " + runs.source + ", " +
                                          std::to_string(runs.rejected.size()) + " rejected");
    if (!runs.unfinished.empty()) text += page.lines("  so far   ", runs.unfinished);
    text += "  digest   " + runs.digest + "\n";
    text += page.lines("  N        ", runs.conventions.parameters);
    text += page.lines("  D        ", runs.conventions.tokens);
    text += page.lines("  C        ", runs.conventions.flops);
    text += page.lines("  loss     ", runs.conventions.loss);
    if (!runs.conventions.batch.empty()) text += page.lines("  batch    ", runs.conventions.batch);
    text += page.lines("  +/-      ",
                       "standard error; [a, b] or (a to b) the 95% interval of a law's own value, about "
                       "which a single run scatters");
    for (const auto* notes : {&runs.notes, &answer.notes})
        for (const std::string& note : *notes)
            text += page.lines("  note     ", note);
    for (const Reason& warning : answer.warnings)
        text += page.lines("  warning  ", to_string(warning));
    constexpr std::size_t listed = 10;
    for (std::size_t i = 0; i < std::min(listed, runs.rejected.size()); ++i)
        text += page.lines("  rejected ", runs.rejected[i].name + ": " + runs.rejected[i].reason);
    if (runs.rejected.size() > listed)
        text += "  rejected " + std::to_string(runs.rejected.size() - listed) + " more (see --json)\n";
    return text;
}

/// Laws that were not asked, and why.
std::string unasked_text(const Page& page, const Answer& answer) {
    std::string laws;
    for (const NotAsked& law : answer.not_asked)
        laws += (laws.empty() ? "" : "; ") + law.law + " (" + describe(law) + ")";
    return laws.empty() ? "" : page.lines("not asked  ", laws) + "\n";
}

/// Which laws stand, with what warnings, and how far off they were on what they had not seen.
std::string at_a_glance(const Page& page, const Answer& answer) {
    Table table{"",
                "",
                {{"law", "law", Quantity::text},
                 {"verdict", "verdict", Quantity::text},
                 {"warnings", "warnings", Quantity::text},
                 {"held_out", "error on held-out runs", Quantity::text}},
                {}};
    for (const LawFit& fit : answer.fits)
        table.rows.push_back(
            {fit.name, describe_verdict(fit, answer), describe_warnings(fit), describe_held_out(fit)});
    return "The laws at a glance\n" + table_lines(table, page.table_columns) + "\n";
}

/// What each law expects of the targets, a column of names in front that the longest fits into.
std::string predictions_text(const Page& page, const Answer& answer) {
    const bool any =
        std::any_of(answer.fits.begin(), answer.fits.end(), [](const LawFit& f) { return !f.refused; });
    if (answer.predictions.empty())
        return any ? "No recommendation: none of these laws knows a best size.\n"
                   : "No recommendation: no law stands.\n";
    std::string text;
    std::size_t widest = 9;
    for (const Prediction& prediction : answer.predictions)
        widest = std::max(widest, prediction.law.size());
    for (const Prediction& prediction : answer.predictions)
        text += page.lines(padded(prediction.law, widest) + " ", describe(prediction, answer));
    return text;
}

std::string rivals_text(const Page& page, const Answer& answer) {
    if (answer.rivals.empty()) return {};
    const auto name = [&](const Prediction& rival) {
        return rival.law + (answer.targets.size() > 1 ? " at " + format_quantity(rival.flops, Quantity::flops)
                                                      : std::string());
    };
    std::size_t widest = 16;
    for (const Prediction& rival : answer.rivals)
        widest = std::max(widest, name(rival).size());
    std::string text = "\nother forms of the joint law, which do not decide:\n";
    for (const Prediction& rival : answer.rivals)
        text += page.lines("  " + padded(name(rival), widest) + " ", describe_rival(rival, answer));
    return text;
}

}  // namespace

std::string to_text(const Answer& answer, int columns, Detail detail) {
    const Page page(columns);
    std::string text = runs_text(page, answer) + "\n";
    if (detail == Detail::all) {
        for (const LawFit& fit : answer.fits)
            text += law_text(page, fit);
        text += unasked_text(page, answer);
    }
    if (answer.fits.size() > 1 || detail == Detail::brief) text += at_a_glance(page, answer);
    text += predictions_text(page, answer) + rivals_text(page, answer);
    for (const Decision& decision : answer.decisions) {
        text += "\n";
        const auto sentences = describe(decision);
        for (std::size_t i = 0; i < sentences.size(); ++i)
            text += page.lines(i == 0 ? "decision  " : "          ", sentences[i]);
        for (const Reason& warning : decision.warnings)
            text += page.lines("warning   ", to_string(warning));
    }
    for (const std::string& words : {describe_agreement(answer), describe_compression(answer)})
        if (!words.empty()) text += "\n" + page.lines("", words);
    return text;
}

}  // namespace isogrid::analysis
