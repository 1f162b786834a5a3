// The answer as one page, section by section.
#include <algorithm>
#include <cmath>

#include "analysis/figures/numbers.hpp"
#include "analysis/report/html_elements.hpp"
#include "analysis/report/report.hpp"
#include "analysis/report/sentences.hpp"

namespace isogrid::analysis {
namespace {

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
        for (const Reason& warning : decision.warnings)
            html += reason_box(warning, "decision", false);
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
             {std::pair{p.parameters, Quantity::parameters}, std::pair{p.tokens, Quantity::tokens}})
            html += "<td>" + format_quantity(estimate.value, quantity) + "</td><td>" +
                    interval(estimate, quantity) + "</td>";
        const bool least = loss_is_lower_limit(p, answer);
        html += "<td>" + std::string(least ? "at least " : "") +
                format_quantity(p.loss.value, Quantity::loss) + "</td><td>" +
                (least ? "-" : interval(p.loss, Quantity::loss)) + "</td></tr>\n";
    };
    for (const Prediction& prediction : answer.predictions)
        row(prediction, prediction.law);
    for (const Prediction& rival : answer.rivals)
        row(rival, rival.law + " (does not decide)");
    return html + "</table></div>\n" +
           paragraph("Intervals are of the law's own value; a single run scatters about it.", "quiet") +
           "</div>\n";
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

std::string conventions_html(const Answer& answer) {
    const Runs& runs = answer.runs;
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
    if (!runs.conventions.batch.empty()) row("batch", escape(runs.conventions.batch));
    html += "</table></div>\n";
    for (const auto* notes : {&runs.notes, &answer.notes})
        for (const std::string& note : *notes)
            html += paragraph("Note: " + note + ".", "quiet");
    return html;
}

/// Which laws stand, with what warnings, and how well they predict.
std::string at_a_glance(const Answer& answer) {
    std::string html =
        "<h2>The laws at a glance</h2>\n<div class=\"wide\"><table><tr><th class=\"text\">law</th><th "
        "class=\"text\"></th>"
        "<th class=\"text\">verdict</th><th class=\"text\">warnings</th><th class=\"text\">error on held-out "
        "runs</th></tr>\n";
    for (const LawFit& fit : answer.fits)
        html += "<tr><td class=\"text\"><a href=\"#" + fit.name + "\">" + fit.name +
                "</a></td><td class=\"text\">" + escape(law_of(fit).title) + "</td><td class=\"text" +
                (fit.refused ? " bad" : "") + "\">" + describe_verdict(fit, answer) +
                "</td><td class=\"text\">" + describe_warnings(fit) + "</td><td class=\"text\">" +
                describe_held_out(fit) + "</td></tr>\n";
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
    std::string html = "<h1>Scaling laws</h1>\n<p class=\"quiet\">" +
                       std::to_string(answer.runs.used.size()) + " runs of <code>" +
                       escape(answer.runs.source) + "</code>, digest " + digest_html(answer.runs.digest) +
                       "; bootstrap of " + std::to_string(answer.options.bootstrap) + " replicates, seed " +
                       std::to_string(answer.options.seed) + "</p>\n";
    if (!answer.runs.unfinished.empty())
        html += paragraph("So far: " + answer.runs.unfinished + ".", "warning");
    html += recommendation_html(answer);
    if (const std::string words = describe_compression(answer); !words.empty()) html += paragraph(words);
    for (const Reason& warning : answer.warnings)
        html += reason_box(warning, "runs", false);
    html += at_a_glance(answer);
    if (!answer.predictions.empty()) html += "<h2>The frontier</h2>\n" + pictures_html(pictures, "");
    for (const LawFit& fit : answer.fits)
        html += law_html(fit, pictures);
    html += not_asked_html(answer);
    html += conventions_html(answer);
    html += runs_html(answer.runs);
    return page("Scaling laws of " + answer.runs.source, html);
}

}  // namespace isogrid::analysis
