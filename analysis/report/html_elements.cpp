#include "analysis/report/html_elements.hpp"

#include "analysis/figures/numbers.hpp"

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

}  // namespace

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

std::string paragraph(const std::string& text, const std::string& kind) {
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
            const std::string text = format_cell(row[c], table.columns[c].quantity);
            const bool number = std::holds_alternative<double>(row[c]);
            const bool bad = table.columns[c].key == "status" && text != "ok";
            const std::string kind = number ? "" : bad ? " class=\"text bad\"" : " class=\"text\"";
            html += "<td" + kind + ">" + escape(text) + "</td>";
        }
        html += "</tr>\n";
    }
    return html + "</table></div>\n";
}

std::string page(const std::string& title, const std::string& body) {
    return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
           "<title>" +
           escape(title) + "</title>\n<style>" + style + "</style></head><body>\n" + body +
           "</body></html>\n";
}

}  // namespace isogrid::analysis
