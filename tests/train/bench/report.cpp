#include "train/bench/report.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "train/bench/peak.hpp"

namespace isogrid::bench {
namespace {

constexpr std::size_t page_width = 100;

template <class... Arguments>
std::string format(const char* form, Arguments... arguments) {
    std::string text(1024, '\0');
    const int length = std::snprintf(text.data(), text.size(), form, arguments...);
    text.resize(std::min(text.size() - 1, static_cast<std::size_t>(std::max(0, length))));
    return text;
}

/// 842, 3.51k, 120k, 2.04M: three digits.
std::string short_number(double value) {
    const char* unit = "";
    if (value >= 999.5e3) {
        value *= 1e-6;
        unit = "M";
    } else if (value >= 999.5) {
        value *= 1e-3;
        unit = "k";
    }
    const int decimals = value >= 99.95 || *unit == '\0' ? 0 : value >= 9.995 ? 1 : 2;
    return format("%.*f%s", decimals, value, unit);
}

std::string percent(double part, double whole) {
    return whole > 0 ? format("%.1f", 100 * part / whole) : "-";
}

/// Words of `text` in lines of the page's width; the first begins after `first` blanks, the others after
/// `rest`.
std::string wrapped(const std::string& text, std::size_t first, std::size_t rest) {
    std::istringstream words(text);
    std::string lines, line(first, ' ');
    bool begins = true;
    for (std::string word; words >> word; begins = false) {
        if (!begins && line.size() + 1 + word.size() > page_width) {
            lines += line + "\n";
            line = std::string(rest, ' ') + word;
        } else {
            line += (begins ? "" : " ") + word;
        }
    }
    return lines + line + "\n";
}

/// One line of a table, without blanks at its end.
template <class... Cells>
std::string row(const char* form, Cells... cells) {
    std::string line = format(form, cells...);
    line.erase(line.find_last_not_of(' ') + 1);
    return line + "\n";
}

/// The fastest multiply-adds that products in this precision may use, GFLOP/s.
double peak_of(const Profile& profile, const std::string& precision) {
    double peak = 0;
    for (const MultiplyAdds& kind : multiply_adds()) {
        const auto found = profile.multiply_adds.find(kind.name);
        if (found != profile.multiply_adds.end() && serves(kind.precision, precision))
            peak = std::max(peak, found->second);
    }
    return peak;
}

double gflops(const BenchShape& shape, double tokens_per_second) {
    return 6 * shape.product_parameters() * tokens_per_second * 1e-9;
}

std::string letter(std::size_t rival) {
    return rival < 26 ? std::string(1, static_cast<char>('a' + rival)) : std::to_string(rival + 1);
}

/// Ours over a rival's, of the rounds in which both were measured, sorted.
std::vector<double> ratios(const Result& ours, const std::vector<std::optional<double>>& theirs) {
    std::vector<double> ratios;
    for (std::size_t round = 0; round < std::min(theirs.size(), ours.tokens_per_second.size()); ++round)
        if (theirs[round]) ratios.push_back(ours.tokens_per_second[round] / *theirs[round]);
    std::sort(ratios.begin(), ratios.end());
    return ratios;
}

std::vector<double> present(const std::vector<std::optional<double>>& values) {
    std::vector<double> found;
    for (const std::optional<double>& value : values)
        if (value) found.push_back(*value);
    return found;
}

/// The fastest rival of this precision on a shape; -1 for none.
int best_rival(const Report& report, const ShapeResults& results, const std::string& precision) {
    int best = -1;
    double highest = 0;
    for (std::size_t i = 0; i < report.rivals.size(); ++i) {
        const double typical = median(present(results.rivals[i]));
        if (precision_of(report.rivals[i]) != precision || typical <= highest) continue;
        best = static_cast<int>(i);
        highest = typical;
    }
    return best;
}

/// Precisions of ours and of rivals, ours first.
std::vector<std::string> compared_precisions(const Report& report) {
    std::vector<std::string> precisions = report.precisions;
    for (const Rival& rival : report.rivals)
        if (std::find(precisions.begin(), precisions.end(), precision_of(rival)) == precisions.end())
            precisions.push_back(precision_of(rival));
    return precisions;
}

constexpr const char* rates_form = "%-22s %-9s %8s %8s %8s %8s %9s %9s %9s";
constexpr const char* rivals_form = "%-22s %-9s %8s   %-6s %8s %7s   %s";

}  // namespace

std::string processor_name() {
    std::ifstream facts("/proc/cpuinfo");
    for (std::string line; std::getline(facts, line);)
        if (line.starts_with("model name")) return line.substr(std::min(line.size(), line.find(':') + 2));
    return "unknown processor";
}

void print_head(std::ostream& out, const Report& report) {
    const Conditions& conditions = report.conditions;
    const auto processes = static_cast<std::size_t>(conditions.processes);
    out << wrapped(format("training throughput: %s, %zu %s; %zu %s, each its own model on one core",  //
                          report.processor.c_str(), report.conditions.cores,
                          report.conditions.cores == 1 ? "core" : "cores", processes,
                          processes == 1 ? "process" : "processes"),
                   0, 2);
    if (processes > report.conditions.cores)
        out << wrapped(format("note: more processes (%zu) than cores (%zu): they share cores", processes,
                              report.conditions.cores),
                       0, 2);
    out << wrapped(
        format(
            "A step is forward, backward, gradient norm, clipping and AdamW; the %s of at least %d steps and "
            "%g s, "
            "with every process at work. Rates are sums over processes. GFLOP/s is 6 x parameters in "
            "products "
            "x tokens/s; exact counts all ops of the graph. Ceilings of the same run: products, the tokens/s "
            "if a step were its products and nothing else, each alone at the shape's own sizes; peak, the "
            "GFLOP/s of multiply-adds on registers.",
            processes > report.conditions.cores ? "mean" : "median", least_steps, conditions.seconds),
        0, 0);
}

void print_titles(std::ostream& out) {
    out << "\n"
        << row(rates_form, "shape", "precision", "tokens/s", "ms/step", "GFLOP/s", "exact", "products",
               "% of", "% of")
        << row(rates_form, "d,L,heads,T,batch,V", "", "", "", "", "GFLOP/s", "tokens/s", "products", "peak");
}

void print_rates(std::ostream& out, const ShapeResults& results) {
    for (const auto& [precision, result] : results.ours) {
        const Profile& profile = *result.first.profile;
        const double rate = result.first.tokens_per_second, flops = gflops(results.shape, rate);
        out << row(rates_form, results.shape.label().c_str(), precision.c_str(), short_number(rate).c_str(),
                   format("%.2f", result.first.ms_per_step).c_str(), format("%.1f", flops).c_str(),
                   format("%.1f", results.exact_flops_per_token * rate * 1e-9).c_str(),
                   short_number(profile.products_tokens_per_second).c_str(),
                   percent(rate, profile.products_tokens_per_second).c_str(),
                   percent(flops, peak_of(profile, precision)).c_str())
            << std::flush;
    }
}

void print_multiply_adds(std::ostream& out, const Report& report) {
    std::map<std::string, std::vector<double>> rates;
    std::set<std::string> instruction_sets;
    for (const ShapeResults& results : report.shapes)
        for (const auto& [precision, result] : results.ours) {
            instruction_sets.insert(precision + " " + result.first.instruction_set);
            for (const auto& [name, rate] : result.first.profile->multiply_adds)
                rates[name].push_back(rate);
        }
    std::string line = "multiply-adds on registers, GFLOP/s of all processes:";
    for (const auto& [name, values] : rates)
        line += " " + name + " " + format("%.0f", median(values)) + ",";
    if (rates.empty()) line += " not measured on this processor,";
    line.back() = ';';
    line += " the backend ran";
    for (const std::string& name : instruction_sets)
        line += " " + name + ",";
    line.pop_back();
    out << "\n" << wrapped(line, 0, 2);
}

void print_shares(std::ostream& out, const Report& report) {
    constexpr std::size_t name_width = 26, cell_width = 12;
    constexpr std::size_t columns = (page_width - name_width) / cell_width;
    for (const std::string& precision : report.precisions)
        for (std::size_t first = 0; first < report.shapes.size(); first += columns) {
            const std::size_t last = std::min(report.shapes.size(), first + columns);
            std::map<std::string, double> largest;
            for (std::size_t i = first; i < last; ++i)
                for (const auto& [op, share] : report.shapes[i].ours.at(precision).first.profile->shares)
                    largest[op] = std::max(largest[op], share);
            std::vector<std::pair<double, std::string>> ops;
            for (const auto& [op, share] : largest)
                ops.emplace_back(share, op);
            std::sort(ops.rbegin(), ops.rend());

            std::string above = format("%-26s", ("time by op, " + precision).c_str());
            std::string below = format("%-26s", "");
            for (std::size_t i = first; i < last;
                 ++i) {  // a label broken in two: sizes of the model, of the text
                const BenchShape& shape = report.shapes[i].shape;
                above += format("%12s", format("%lld,%lld,%lld", static_cast<long long>(shape.shape.width),
                                               static_cast<long long>(shape.shape.depth),
                                               static_cast<long long>(shape.shape.heads))
                                            .c_str());
                below += format("%12s", format("%lld,%lld,%lld", static_cast<long long>(shape.shape.context),
                                               static_cast<long long>(shape.batch),
                                               static_cast<long long>(shape.shape.vocabulary))
                                            .c_str());
            }
            out << "\n" << above << "\n" << below << "\n";
            for (const auto& [share, op] : ops) {
                std::string line = format("%-26s", op.c_str());
                for (std::size_t i = first; i < last; ++i) {
                    const Seconds& shares = report.shapes[i].ours.at(precision).first.profile->shares;
                    const auto found = shares.find(op);
                    line +=
                        found == shares.end() ? format("%12s", "-") : format("%11.1f%%", 100 * found->second);
                }
                out << line << "\n";
            }
        }
}

void print_rivals(std::ostream& out, const Report& report) {
    if (report.rivals.empty()) return;
    out << "\n"
        << wrapped(
               format("against others, %d %s in turns; ratio: the median of ours / theirs in the same round; "
                      "* the fastest of its precision, the one that counts",
                      report.rounds, report.rounds == 1 ? "round" : "rounds"),
               0, 2);
    for (std::size_t i = 0; i < report.rivals.size(); ++i) {
        const Rival& rival = report.rivals[i];
        out << wrapped(letter(i) + ": " +
                           (rival.copies > 1 ? std::to_string(rival.copies) + " copies of " : "") +
                           rival.command + (rival.heading.empty() ? "" : " (" + rival.heading + ")"),
                       2, 5);
    }
    out << "\n"
        << row(rivals_form, "shape", "precision", "ours", "rival", "theirs", "ratio", "lowest - highest");
    for (const ShapeResults& results : report.shapes)
        for (const std::string& precision : compared_precisions(report)) {
            const auto ours = results.ours.find(precision);
            const int best = best_rival(report, results, precision);
            for (std::size_t i = 0; i < report.rivals.size(); ++i) {
                if (precision_of(report.rivals[i]) != precision) continue;
                const double theirs = median(present(results.rivals[i]));
                std::vector<double> paired;
                if (ours != results.ours.end()) paired = ratios(ours->second, results.rivals[i]);
                out << row(
                    rivals_form, results.shape.label().c_str(), precision.c_str(),
                    ours == results.ours.end() ? "-" : short_number(ours->second.typical()).c_str(),
                    (letter(i) + (static_cast<int>(i) == best ? " *" : "")).c_str(),
                    theirs > 0 ? short_number(theirs).c_str() : "-",
                    paired.empty() ? "-" : format("%.2f", median(paired)).c_str(),
                    paired.size() < 2 ? "" : format("%.2f - %.2f", paired.front(), paired.back()).c_str());
            }
        }
}

std::string to_json(const Report& report) {
    using Json = nlohmann::json;
    Json document{{"schema", "isogrid-bench-train/1"},
                  {"processor", report.processor},
                  {"cores", report.conditions.cores},
                  {"processes", report.conditions.processes},
                  {"seconds", report.conditions.seconds},
                  {"rounds", report.rounds},
                  {"rivals", Json::array()},
                  {"shapes", Json::array()}};
    for (const Rival& rival : report.rivals)
        document["rivals"].push_back({{"command", rival.command},
                                      {"copies", rival.copies},
                                      {"heading", rival.heading},
                                      {"precision", precision_of(rival)}});
    for (const ShapeResults& results : report.shapes) {
        Json shape{{"shape", results.shape.label()},
                   {"product_parameters", results.shape.product_parameters()},
                   {"exact_flops_per_token", results.exact_flops_per_token},
                   {"ours", Json::object()},
                   {"rivals", Json::array()},
                   {"counts", Json::object()}};
        for (const auto& [precision, result] : results.ours) {
            const Profile& profile = *result.first.profile;
            Json products = Json::array();
            for (const ProductRate& product : profile.products)
                products.push_back(
                    {{"name", product.name}, {"count", product.count}, {"gflops", product.gflops}});
            const double rate = result.typical();
            shape["ours"][precision] = {{"instruction_set", result.first.instruction_set},
                                        {"tokens_per_second", rate},
                                        {"rounds", result.tokens_per_second},
                                        {"ms_per_step", result.first.ms_per_step},
                                        {"steps", result.first.steps},
                                        {"gflops", gflops(results.shape, rate)},
                                        {"exact_gflops", results.exact_flops_per_token * rate * 1e-9},
                                        {"products_tokens_per_second", profile.products_tokens_per_second},
                                        {"peak_gflops", peak_of(profile, precision)},
                                        {"products", products},
                                        {"multiply_adds_gflops", profile.multiply_adds},
                                        {"shares", profile.shares}};
        }
        for (const auto& rounds : results.rivals) {
            Json rates = Json::array();
            for (const std::optional<double>& rate : rounds)
                rates.push_back(rate ? Json(*rate) : Json());
            shape["rivals"].push_back(rates);
        }
        for (const std::string& precision : compared_precisions(report)) {
            const int best = best_rival(report, results, precision);
            const auto ours = results.ours.find(precision);
            if (best < 0 || ours == results.ours.end()) continue;
            const std::vector<double> paired =
                ratios(ours->second, results.rivals[static_cast<std::size_t>(best)]);
            if (!paired.empty()) shape["counts"][precision] = {{"rival", best}, {"ratio", median(paired)}};
        }
        document["shapes"].push_back(std::move(shape));
    }
    return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace isogrid::bench
