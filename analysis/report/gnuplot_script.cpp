// From a figure to a gnuplot script: colours, marks, axes.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

#include "analysis/report/axis_ticks.hpp"
#include "analysis/report/gnuplot.hpp"
#include "base/wording.hpp"

namespace isogrid::analysis {
namespace {

using Colour = std::array<double, 3>;

/// Viridis (Smith and van der Walt 2015) without its yellow end, which vanishes on white.
std::string shade_colour(double place) {
    constexpr std::array<Colour, 5> stops = {
        {{68, 1, 84}, {65, 68, 135}, {42, 120, 142}, {34, 168, 132}, {122, 209, 81}}};
    const double scaled = std::clamp(place, 0.0, 1.0) * (stops.size() - 1);
    const auto below = std::min<std::size_t>(static_cast<std::size_t>(scaled), stops.size() - 2);
    std::array<char, 8> text{};
    Colour mixed{};
    for (std::size_t c = 0; c < mixed.size(); ++c)
        mixed[c] =
            stops[below][c] + (scaled - static_cast<double>(below)) * (stops[below + 1][c] - stops[below][c]);
    std::snprintf(text.data(), text.size(), "#%02x%02x%02x", static_cast<unsigned>(mixed[0]) & 255U,
                  static_cast<unsigned>(mixed[1]) & 255U, static_cast<unsigned>(mixed[2]) & 255U);
    return text.data();
}

std::string colour_of(const Series& series) {
    if (series.shade) return shade_colour(*series.shade);
    constexpr std::array inks = {"#222222", "#d55e00", "#0072b2", "#009e73",
                                 "#8a8a8a", "#cc79a7", "#56b4e9"};  // Okabe and Ito 2008
    return inks[static_cast<std::size_t>(series.ink) % inks.size()];
}

std::string style_of(const Series& series) {
    const std::string colour = " lc rgb '" + colour_of(series) + "'";
    switch (series.mark) {
        case Mark::line:
            return "with lines lw 2" + colour;
        case Mark::dashes:
            return "with lines lw 1.6 dt (6,4)" + colour;
        case Mark::dots:
            return "with points pt 7 ps 0.3" + colour;
        case Mark::points:
            return "with points pt 7 ps 0.75" + colour;
        case Mark::rings:
            return "with points pt 6 ps 0.75 lw 1.5" + colour;
        case Mark::diamonds:
            return "with points pt 12 ps 1.35 lw 2.2" + colour;
        case Mark::crosses:
            return "with points pt 2 ps 0.8 lw 1.5" + colour;
        case Mark::band:
            return "with filledcurves fs transparent solid 0.15 noborder" + colour;
    }
    return "with lines";
}

std::string number(double value) {
    return base::rounded(value, 10);
}

/// The words between gnuplot's single quotes, where only the quote itself is special; `_ ^ @` are marks of
/// its enhanced text. An end of line would end the text, and what follows would be a command, perhaps of a
/// shell: words come from CSVs and job files.
std::string quoted(const std::string& words, bool enhanced = false) {
    std::string text = "'";
    for (const char letter : words) {
        if (!enhanced && (letter == '_' || letter == '^' || letter == '@')) text += '\\';
        const bool control = static_cast<unsigned char>(letter) < ' ' || letter == '\x7f';
        text += letter == '\'' ? "''" : std::string(1, control ? ' ' : letter);
    }
    return text + "'";
}

struct Range {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    void take(double value, bool logarithmic) {
        if (!std::isfinite(value) || (logarithmic && !(value > 0))) return;
        low = std::min(low, value), high = std::max(high, value);
    }
};

/// The range of the data with a margin, and the ticks.
std::string axis_script(const std::string& letter, const Axis& axis, Range range) {
    std::string script = "set " + letter + "label " + quoted(axis.title) + "\n";
    if (!(range.low <= range.high)) range.low = range.high = 1;
    if (axis.highest) range.high = std::min(range.high, *axis.highest);
    if (!axis.logarithmic) {
        const double margin = range.high > range.low ? 0.06 * (range.high - range.low) : 0.5;
        return script + "set " + letter + "range [" + number(range.low - margin) + ":" +
               number(range.high + margin) + "]\n";
    }
    const double margin = range.high > range.low ? std::pow(range.high / range.low, 0.05) : 2;
    range.low /= margin, range.high *= margin;
    script += "set logscale " + letter + "\nset " + letter + "range [" + number(range.low) + ":" +
              number(range.high) + "]\nset " + letter + "tics (";
    bool first = true;
    for (const Tick& tick : logarithmic_ticks(range.low, range.high, axis.quantity)) {
        script += (first ? "" : ", ") + quoted(tick.label, true) + " " + number(tick.at) +
                  (tick.label.empty() ? " 1" : "");
        first = false;
    }
    return script + ")\n";
}

}  // namespace

std::string gnuplot_script(const Figure& figure) {
    Range x, y;
    for (const Series& series : figure.series) {
        for (const double value : series.x)
            x.take(value, figure.x.logarithmic);
        for (const auto* values : {&series.y, &series.upper})
            for (const double value : *values)
                y.take(value, figure.y.logarithmic);
    }
    const bool legend = std::any_of(figure.series.begin(), figure.series.end(),
                                    [](const Series& s) { return !s.label.empty(); });
    std::string script =
        "set terminal svg size 900,470 dynamic enhanced font 'Helvetica,15' background '#ffffff'\n"
        "set encoding utf8\n"
        "set border 3 lw 1 lc rgb '#555555'\n"
        "set tics nomirror out scale 0.6,0.3 textcolor rgb '#333333'\n"
        "set grid xtics ytics lw 1 lc rgb '#e9e9e9'\n"
        "set lmargin 11\n";
    script +=
        legend ? "set key outside right top Left reverse samplen 1.2 spacing 1.25 width 1" : "unset key";
    if (legend && !figure.legend.empty()) script += " title " + quoted(figure.legend) + " left";
    script += "\n";
    script += axis_script("x", figure.x, x) + axis_script("y", figure.y, y);
    std::string data, plot;
    for (std::size_t s = 0; s < figure.series.size(); ++s) {
        const Series& series = figure.series[s];
        const std::string block = "$series" + std::to_string(s);
        data += block + " << EOD\n";
        for (std::size_t i = 0; i < series.x.size(); ++i) {
            data += number(series.x[i]) + " " + number(series.y[i]);
            data += (series.mark == Mark::band ? " " + number(series.upper[i]) : "") + "\n";
        }
        data += "EOD\n";
        plot += (s == 0 ? "plot " : ", \\\n     ") + block + " using " +
                (series.mark == Mark::band ? "1:2:3 " : "1:2 ") + style_of(series) +
                (series.label.empty() ? " notitle" : " title " + quoted(series.label));
    }
    return script + data + plot + "\n";
}

}  // namespace isogrid::analysis
