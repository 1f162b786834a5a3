// The answer for a terminal.
#include <algorithm>
#include <cmath>
#include <string_view>

#include "analysis/numbers.hpp"
#include "analysis/report/answer.hpp"
#include "analysis/report/sentences.hpp"

namespace isogrid::analysis {
namespace {

constexpr std::size_t width = 80;

/// Words of a CSV or a file's name for a terminal, whose lines and colours are not theirs.
std::string plain(std::string words) {
    for (char& letter : words)
        if (static_cast<unsigned char>(letter) < ' ' || letter == '\x7f') letter = ' ';
    return words;
}

/// Columns that a text takes: its letters. Of what is no UTF-8 every byte is one.
std::size_t columns_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](unsigned char byte) { return byte < 0x80 || byte >= 0xC0; }));
}

/// Breaks words into lines of the terminal's width; the first begins with `head`, the others with spaces.
std::string wrap(const std::string& head, const std::string& unsafe) {
    const std::string words = plain(unsafe);
    const std::string indent(columns_of(head), ' ');
    std::string text, line = head;
    bool empty = true;
    for (std::size_t begin = 0; begin < words.size();) {
        const std::size_t end = std::min(words.find(' ', begin), words.size());
        const std::string word = words.substr(begin, end - begin);
        begin = end + 1;
        if (!empty && columns_of(line) + 1 + columns_of(word) > width) {
            text += line + "\n";
            line = indent;
            empty = true;
        }
        line += (empty ? "" : " ") + word;
        empty = false;
    }
    return text + line + "\n";
}

std::string pad(const std::string& text, std::size_t columns, bool right = false) {
    const std::size_t taken = columns_of(text);
    const std::string space(columns > taken ? columns - taken : 0, ' ');
    return right ? space + text : text + space;
}

std::string table_text(const Table& table) {
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
        std::size_t widest = columns_of(table.columns[c].title);
        for (const auto& row : table.rows)
            widest = std::max(widest, columns_of(format_cell(row[c], table.columns[c].quantity)));
        widths.push_back(widest);
    }
    const auto line = [&](const auto& text_of) {
        std::string text = " ";
        for (std::size_t c = 0; c < table.columns.size(); ++c) {
            const bool last = c + 1 == table.columns.size();
            text += " " + (last ? " " + text_of(c) : pad(text_of(c), widths[c], true));
        }
        return text + "\n";
    };
    std::string text = line([&](std::size_t c) { return table.columns[c].title; });
    for (const auto& row : table.rows)
        text += line([&](std::size_t c) { return plain(format_cell(row[c], table.columns[c].quantity)); });
    return text;
}

std::string parameter_text(const Parameter& parameter) {
    const Estimate& e = parameter.estimate;
    std::string text = "  " + pad(parameter.name + " ", 24) + pad(format_significant(e.value, 5), 12);
    if (std::isfinite(e.low) || std::isfinite(e.high))  // one end may be infinite
        text += pad("+/- " + format_significant(e.se, 2), 15) + "[" + format_significant(e.low, 4) + ", " +
                format_significant(e.high, 4) + "]";
    while (text.ends_with(' '))
        text.pop_back();
    return text + "\n";
}

std::string law_text(const LawFit& fit) {
    const Law& law = law_of(fit);
    std::string text = fit.name + ": " + std::string(law.title) + "\n";
    text += wrap("  ", std::string(law.equation));
    text += wrap("  ", std::string(law.source));
    if (fit.refused) text += wrap("  REFUSED  ", to_string(*fit.refused));
    for (const Table& table : fit.tables)
        if (table.rows.size() <= 40) text += "\n" + wrap("  ", table.title) + table_text(table);
    if (!fit.refused) {
        text += "\n";
        for (const Parameter& parameter : fit.parameters)
            text += parameter_text(parameter);
        for (const Parameter& parameter : fit.derived)
            text += parameter_text(parameter);
        text += "  " + pad("objective ", 24) + format_significant(fit.objective_value, 10) + "  (" +
                fit.objective + ")\n";
    }
    for (const Reason& warning : fit.warnings)
        text += wrap("  warning  ", to_string(warning));
    for (const std::string& note : fit.notes)
        text += wrap("  note     ", note);
    return text + "\n";
}

}  // namespace

std::string to_text(const Answer& answer) {
    const Runs& runs = answer.runs;
    std::string text = wrap("", std::to_string(runs.used.size()) + " runs of " + runs.source + ", " +
                                    std::to_string(runs.rejected.size()) + " rejected");
    text += "  digest   " + runs.digest + "\n";
    text += wrap("  N        ", runs.conventions.parameters);
    text += wrap("  D        ", runs.conventions.tokens);
    text += wrap("  C        ", runs.conventions.flops);
    text += wrap("  loss     ", runs.conventions.loss);
    for (const std::string& note : runs.notes)
        text += wrap("  note     ", note);
    for (const Reason& warning : answer.warnings)
        text += wrap("  warning  ", to_string(warning));
    constexpr std::size_t listed = 10;
    for (std::size_t i = 0; i < std::min(listed, runs.rejected.size()); ++i)
        text += wrap("  rejected ", runs.rejected[i].name + ": " + runs.rejected[i].reason);
    if (runs.rejected.size() > listed)
        text += "  rejected " + std::to_string(runs.rejected.size() - listed) + " more (see --json)\n";
    text += "\n";
    for (const LawFit& fit : answer.fits)
        text += law_text(fit);
    std::string unasked;
    for (const NotAsked& law : answer.not_asked)
        unasked += (unasked.empty() ? "" : "; ") + law.law + " (" + describe(law) + ")";
    if (!unasked.empty()) text += wrap("not asked  ", unasked) + "\n";
    const bool any =
        std::any_of(answer.fits.begin(), answer.fits.end(), [](const LawFit& f) { return !f.refused; });
    if (answer.predictions.empty())
        text += any ? "No recommendation: none of these laws knows a best size.\n"
                    : "No recommendation: no law stands.\n";
    for (const Prediction& prediction : answer.predictions)
        text += wrap(pad(prediction.law, 9) + " ", describe(prediction));
    if (!answer.rivals.empty()) text += "\nother forms of the joint law, which do not decide:\n";
    for (const Prediction& rival : answer.rivals) {
        const std::string at = answer.targets.size() > 1
                                   ? " at " + format_quantity(rival.flops, Quantity::flops)
                                   : std::string();
        text += wrap("  " + pad(rival.law + at, 16) + " ", describe_rival(rival));
    }
    for (const Decision& decision : answer.decisions) {
        text += "\n";
        const auto sentences = describe(decision);
        for (std::size_t i = 0; i < sentences.size(); ++i)
            text += wrap(i == 0 ? "decision  " : "          ", sentences[i]);
    }
    if (const std::string words = describe_agreement(answer); !words.empty()) text += "\n" + wrap("", words);
    if (const std::string words = describe_compression(answer); !words.empty())
        text += "\n" + wrap("", words);
    return text;
}

}  // namespace isogrid::analysis
