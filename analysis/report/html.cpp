// The answer as one page: style inside, pictures inside, nothing to fetch.
#include <algorithm>
#include <cmath>

#include "analysis/report/answer.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

constexpr const char* style = R"(
body { font: 16px/1.55 system-ui, "Helvetica Neue", Helvetica, Arial, sans-serif; color: #222; background: #fff;
       max-width: 62rem; margin: 2.5rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.8rem 0 .6rem; padding-top: .8rem; border-top: 1px solid #ddd; }
h3 { font-size: 1.02rem; margin: 1.8rem 0 .3rem; }
p { margin: .5rem 0; }
.quiet { color: #666; font-size: .9rem; }
.answer { background: #eef5fb; border-left: 5px solid #0072b2; padding: .9rem 1.2rem; margin: 1.4rem 0; }
.answer .big { font-size: 1.12rem; }
.warning { background: #fff6e5; border-left: 5px solid #e69f00; padding: .5rem 1rem; margin: .6rem 0; }
.refused { background: #fdecea; border-left: 5px solid #c0392b; padding: .5rem 1rem; margin: .6rem 0; }
.kind { font-weight: 600; }
.equation { font-family: Cambria, Georgia, serif; font-style: italic; font-size: 1.08rem; margin: .4rem 0; }
table { border-collapse: collapse; margin: .7rem 0 1rem; font-size: .92rem; font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 600; border-bottom: 2px solid #bbb; padding: .25rem .7rem; }
td { text-align: right; border-bottom: 1px solid #eee; padding: .25rem .7rem; }
th.text, td.text { text-align: left; }
td.bad { color: #c0392b; font-weight: 600; }
figure { margin: 1.6rem 0 2.2rem; }
figure svg { width: 100%; height: auto; }
figcaption { color: #555; font-size: .9rem; max-width: 52rem; }
.scroll { max-height: 26rem; overflow-y: auto; }
.wide { overflow-x: auto; }
@media print {
  html { font-size: 62.5%; }
  body { font-size: 1rem; max-width: none; margin: 0; }
  figure svg { width: 86%; }
  table { break-inside: avoid; }
  .scroll table { break-inside: auto; }
  th, td { padding: .2rem .5rem; }
  .scroll { max-height: none; overflow: visible; }
  figure, tr, .answer, .warning, .refused { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .88em; overflow-wrap: anywhere; }
)";

std::string escape(std::string_view text) {
    std::string safe;
    for (const char letter : text) {
        switch (letter) {
            case '&':
                safe += "&amp;";
                break;
            case '<':
                safe += "&lt;";
                break;
            case '>':
                safe += "&gt;";
                break;
            case '"':
                safe += "&quot;";
                break;
            default:
                safe += letter;
        }
    }
    return safe;
}

std::string paragraph(const std::string& text, const std::string& kind = {}) {
    return "<p" + (kind.empty() ? "" : " class=\"" + kind + "\"") + ">" + escape(text) + "</p>\n";
}

std::string reason_box(const Reason& reason, const std::string& law, bool refused) {
    return std::string("<div class=\"") + (refused ? "refused" : "warning") + "\"><span class=\"kind\">" +
           escape(law) + (refused ? " refused: " : ": ") + escape(name(reason.kind)) + "</span> " +
           escape(reason.text) + "</div>\n";
}

std::string digest_html(const std::string& digest) {
    return "<code title=\"" + escape(digest) + "\">" + escape(digest.substr(0, 12)) + "</code>";
}

std::string table_html(const Table& table) {
    std::string html = "<h3>" + escape(table.title) + "</h3>\n<div class=\"wide\"><table><tr>";
    for (const Column& column : table.columns)
        html += std::string("<th") + (column.quantity == Quantity::text ? " class=\"text\"" : "") + ">" +
                escape(column.title) + "</th>";
    html += "</tr>\n";
    for (const auto& row : table.rows) {
        html += "<tr>";
        for (std::size_t c = 0; c < row.size(); ++c) {
            const double* value = std::get_if<double>(&row[c]);
            const std::string text =
                value ? format_quantity(*value, table.columns[c].quantity) : std::get<std::string>(row[c]);
            const bool bad = table.columns[c].key == "status" && text != "ok";
            const std::string kind = value ? "" : bad ? " class=\"text bad\"" : " class=\"text\"";
            html += "<td" + kind + ">" + escape(text) + "</td>";
        }
        html += "</tr>\n";
    }
    return html + "</table></div>\n";
}

std::string parameters_html(const LawFit& fit) {
    if (fit.parameters.empty()) return {};
    std::string html =
        "<div class=\"wide\"><table><tr><th class=\"text\">parameter</th><th>value</th><th>standard "
        "error</th><th>95% "
        "interval</th></tr>\n";
    const auto add = [&](const std::vector<Parameter>& list) {
        for (const Parameter& p : list) {
            const Estimate& e = p.estimate;
            html += "<tr><td class=\"text\">" + escape(p.name) + "</td><td>" +
                    format_significant(e.value, 5) + "</td><td>" + format_significant(e.se, 2) + "</td><td>" +
                    (std::isfinite(e.low) || std::isfinite(e.high)  // one end may be open
                         ? format_significant(e.low, 4) + " to " + format_significant(e.high, 4)
                         : "-") +
                    "</td></tr>\n";
        }
    };
    add(fit.parameters);
    add(fit.derived);
    return html + "</table></div>\n";
}

/// The pictures of one law, or those that no law owns.
std::string pictures_html(const std::vector<Picture>& pictures, std::string_view law) {
    std::string html;
    for (const Picture& picture : pictures) {
        if (picture.law != law) continue;
        html += "<figure id=\"figure-" + picture.figure.key + "\"><h3>" + escape(picture.figure.title) +
                "</h3>\n";
        html +=
            picture.svg.empty() ? paragraph("(not drawn: gnuplot was not available)", "quiet") : picture.svg;
        html += "<figcaption>" + escape(picture.figure.caption) + "</figcaption></figure>\n";
    }
    return html;
}

std::string law_html(const LawFit& fit, const std::vector<Picture>& pictures) {
    const Law& law = law_of(fit);
    std::string html =
        "<h2 id=\"" + fit.name + "\">" + escape(law.title) + " (<code>" + fit.name + "</code>)</h2>\n";
    html += paragraph(std::string(law.equation), "equation");
    html += paragraph(std::string(law.source), "quiet");
    if (fit.refused) html += reason_box(*fit.refused, fit.name, true);
    for (const Reason& warning : fit.warnings)
        html += reason_box(warning, fit.name, false);
    if (!fit.refused) {
        html += parameters_html(fit);
        html += paragraph(
            "Objective " + fit.objective + ": " + format_significant(fit.objective_value, 8) + ".", "quiet");
    }
    html += pictures_html(pictures, fit.name);
    for (const Table& table : fit.tables)
        html += table_html(table);
    for (const std::string& note : fit.notes)
        html += paragraph("Note: " + note + ".", "quiet");
    return html;
}

std::string recommendation_html(const Answer& answer) {
    std::string html = "<div class=\"answer\">\n";
    const bool any =
        std::any_of(answer.fits.begin(), answer.fits.end(), [](const LawFit& f) { return !f.refused; });
    if (answer.predictions.empty())
        return html +
               paragraph(any ? "No recommendation: none of these laws knows a best size."
                             : "No recommendation: no law stands. The refusals below say why.",
                         "big") +
               "</div>\n";
    for (const Decision& decision : answer.decisions) {
        const auto sentences = describe(decision);
        for (std::size_t i = 0; i < sentences.size(); ++i)
            html += paragraph(sentences[i], i == 0 ? "big" : "");
    }
    if (const std::string words = describe_agreement(answer); !words.empty())
        html += paragraph(words, "quiet");
    html +=
        "<div class=\"wide\"><table><tr><th class=\"text\">law</th><th>FLOPs</th><th>parameters</th><th>95% "
        "interval</th>"
        "<th>tokens</th><th>95% interval</th><th>loss</th><th>95% interval</th></tr>\n";
    const auto interval = [](const Estimate& e, Quantity quantity) {
        return std::isfinite(e.low)
                   ? format_quantity(e.low, quantity) + " to " + format_quantity(e.high, quantity)
                   : std::string("-");
    };
    const auto row = [&](const Prediction& p, const std::string& law) {
        html += "<tr><td class=\"text\">" + law + "</td><td>" + format_quantity(p.flops, Quantity::flops) +
                "</td>";
        for (const auto& [estimate, quantity] :
             {std::pair{p.parameters, Quantity::parameters}, std::pair{p.tokens, Quantity::tokens},
              std::pair{p.loss, Quantity::loss}})
            html += "<td>" + format_quantity(estimate.value, quantity) + "</td><td>" +
                    interval(estimate, quantity) + "</td>";
        html += "</tr>\n";
    };
    for (const Prediction& prediction : answer.predictions)
        row(prediction, prediction.law);
    for (const Prediction& rival : answer.rivals)
        row(rival, rival.law + " (does not decide)");
    return html + "</table></div></div>\n";
}

std::string runs_html(const Runs& runs) {
    std::string html = "<h2>Runs</h2>\n" + paragraph(std::to_string(runs.used.size()) + " used, " +
                                                     std::to_string(runs.rejected.size()) + " rejected.");
    if (!runs.rejected.empty()) {
        html +=
            "<h3>Rejected</h3>\n<div class=\"scroll\"><table><tr><th class=\"text\">run</th>"
            "<th class=\"text\">digest</th><th class=\"text\">reason</th></tr>\n";
        for (const RejectedRun& run : runs.rejected)
            html += "<tr><td class=\"text\">" + escape(run.name) + "</td><td class=\"text\">" +
                    digest_html(run.digest) + "</td><td class=\"text bad\">" + escape(run.reason) +
                    "</td></tr>\n";
        html += "</table></div>\n";
    }
    html +=
        "<h3>Used</h3>\n<div class=\"scroll\"><table><tr><th class=\"text\">run</th><th "
        "class=\"text\">digest</th>"
        "<th>parameters</th><th>tokens</th><th>FLOPs</th><th>loss</th><th>bits per byte</th></tr>\n";
    for (const Run& run : runs.used)
        html += "<tr><td class=\"text\">" + escape(run.name) + "</td><td class=\"text\">" +
                digest_html(run.digest) + "</td><td>" +
                format_quantity(run.parameters, Quantity::parameters) + "</td><td>" +
                format_quantity(run.tokens, Quantity::tokens) + "</td><td>" +
                format_quantity(run.flops, Quantity::flops) + "</td><td>" +
                format_quantity(run.loss, Quantity::loss) + "</td><td>" +
                format_significant(run.bits_per_byte, 4) + "</td></tr>\n";
    return html + "</table></div>\n";
}

std::string conventions_html(const Runs& runs) {
    std::string html = "<h2>What was counted, and how</h2>\n<div class=\"wide\"><table>\n";
    const auto row = [&](const std::string& what, const std::string& how) {
        html += "<tr><td class=\"text\">" + what + "</td><td class=\"text\">" + how + "</td></tr>\n";
    };
    row("input", escape(runs.source));
    row("digest", "<code>" + runs.digest + "</code>");
    row("parameters N", escape(runs.conventions.parameters));
    row("tokens D", escape(runs.conventions.tokens));
    row("compute C", escape(runs.conventions.flops));
    row("loss", escape(runs.conventions.loss));
    html += "</table></div>\n";
    for (const std::string& note : runs.notes)
        html += paragraph("Note: " + note + ".", "quiet");
    return html;
}

/// `on_bound, few_starts (2)`: each kind once, with how often.
std::string kinds_of(const std::vector<Reason>& reasons) {
    std::vector<std::pair<Refusal, int>> kinds;
    for (const Reason& reason : reasons) {
        const auto known =
            std::find_if(kinds.begin(), kinds.end(), [&](auto& k) { return k.first == reason.kind; });
        known == kinds.end() ? void(kinds.emplace_back(reason.kind, 1)) : void(++known->second);
    }
    std::string text;
    for (const auto& [kind, times] : kinds)
        text += (text.empty() ? "" : ", ") + std::string(name(kind)) +
                (times > 1 ? " (" + std::to_string(times) + ")" : "");
    return text;
}

/// Which laws stand, with what warnings, and how well they predict.
std::string at_a_glance(const Answer& answer) {
    std::string html =
        "<h2>The laws at a glance</h2>\n<div class=\"wide\"><table><tr><th class=\"text\">law</th><th "
        "class=\"text\"></th>"
        "<th class=\"text\">verdict</th><th class=\"text\">warnings</th><th>held-out error</th></tr>\n";
    for (const LawFit& fit : answer.fits) {
        const double error = mean_held_out_error(fit);
        html += "<tr><td class=\"text\"><a href=\"#" + fit.name + "\">" + fit.name +
                "</a></td><td class=\"text\">" + escape(law_of(fit).title) + "</td>" +
                (fit.refused ? "<td class=\"text bad\">refused: " + std::string(name(fit.refused->kind))
                             : std::string("<td class=\"text\">stands")) +
                "</td><td class=\"text\">" + kinds_of(fit.warnings) + "</td><td>" +
                (std::isfinite(error) ? format_quantity(error, Quantity::percent) : "-") + "</td></tr>\n";
    }
    return html + "</table></div>\n";
}

std::string not_asked_html(const Answer& answer) {
    if (answer.not_asked.empty()) return {};
    std::string html =
        "<h2>Laws that these runs were not asked</h2>\n<div class=\"wide\"><table><tr><th "
        "class=\"text\">law</th>"
        "<th class=\"text\">why</th></tr>\n";
    for (const NotAsked& law : answer.not_asked)
        html += "<tr><td class=\"text\">" + law.law + "</td><td class=\"text\">" + escape(describe(law)) +
                "</td></tr>\n";
    return html + "</table></div>\n";
}

}  // namespace

std::string to_html(const Answer& answer, const std::vector<Picture>& pictures) {
    std::string html = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n";
    html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    html += "<title>Scaling laws of " + escape(answer.runs.source) + "</title>\n<style>";
    html += std::string(style) + "</style></head><body>\n";
    html += "<h1>Scaling laws</h1>\n<p class=\"quiet\">" + std::to_string(answer.runs.used.size()) +
            " runs of <code>" + escape(answer.runs.source) + "</code>, digest " +
            digest_html(answer.runs.digest) + "; bootstrap of " + std::to_string(answer.options.bootstrap) +
            " replicates, seed " + std::to_string(answer.options.seed) + "</p>\n";
    html += recommendation_html(answer);
    if (const std::string words = describe_compression(answer); !words.empty()) html += paragraph(words);
    for (const Reason& warning : answer.warnings)
        html += reason_box(warning, "runs", false);
    html += at_a_glance(answer);
    if (!answer.predictions.empty()) html += "<h2>The frontier</h2>\n" + pictures_html(pictures, "");
    for (const LawFit& fit : answer.fits)
        html += law_html(fit, pictures);
    html += not_asked_html(answer);
    html += conventions_html(answer.runs);
    html += runs_html(answer.runs);
    return html + "</body></html>\n";
}

}  // namespace isogrid::analysis
