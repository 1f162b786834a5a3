#include "analysis/command_line.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <sstream>
#include <string_view>
#include <utility>

#include "analysis/report/sentences.hpp"
#include "base/wording.hpp"
#include "program/options.hpp"

namespace isogrid::analysis {
namespace {

namespace po = program::options;

constexpr const char* usage =
    "usage: isogrid-fit ARCHIVE.h5 [options]\n"
    "       isogrid-fit --csv FILE --columns parameters=COL,tokens=COL,loss=COL[,flops=COL] [options]\n\n"
    "Fits scaling laws to the runs of an archive or of a CSV file, and recommends a model\n"
    "size and an amount of data for a budget. While a sweep has no archive yet, the same line\n"
    "fits what it has finished so far.\n";

po::options_description options() {
    po::options_description all("options");
    const auto text = [] { return po::value<std::string>(); };
    const auto texts = [] { return po::value<std::vector<std::string>>(); };
    all.add_options()("help,h", "this text");
    all.add_options()("version", "the revision of the code");
    all.add_options()("csv", texts()->value_name("FILE"),
                      "runs as comma-separated values, one a row; may be repeated");
    all.add_options()("columns", text()->value_name("ROLE=COL,.."),
                      "which column is what: parameters, tokens, loss, flops, batch, name, run "
                      "(rows of one run make its curve), and what single laws need (docs/laws)");
    all.add_options()("where", texts()->value_name("COL=VALUE"), "keep only such rows; may be repeated");
    all.add_options()("drop-highest-loss", po::value<std::int64_t>()->default_value(0)->value_name("K"),
                      "reject the K runs of highest loss");
    all.add_options()("skip-bad-rows", po::bool_switch(),
                      "reject rows with missing, impossible or repeated values instead of failing");
    all.add_options()("parameters-convention", text()->value_name("NAME"),
                      "of an archive: total (default) or non_embedding");
    all.add_options()("flops-convention", text()->value_name("NAME"),
                      "of an archive: six_n, matmul, attention or exact (default: that of its budgets)");
    all.add_options()("law", texts()->value_name("NAME"),
                      "fit only this law; may be repeated (default: all)");
    all.add_options()("objective", text()->default_value("huber:1e-3")->value_name("NAME"),
                      "of log losses: huber:DELTA, l1, l2, or asymmetric:SHARE for under-tuned runs, SHARE "
                      "of which may lie below the law");
    all.add_options()("bootstrap", po::value<std::int64_t>()->default_value(1000)->value_name("K"),
                      "replicates for errors and intervals; 0 for none");
    all.add_options()(
        "resample", text()->default_value("cases")->value_name("WHAT"),
        "what a replicate draws again: cases (runs), residuals or seeds; of laws fitted to losses as a "
        "whole");
    all.add_options()("overhead-from", po::value<double>()->default_value(0)->value_name("B"),
                      "of critical_batch: the batch from which linear scaling is measured (0: the smallest)");
    all.add_options()("hold-out", texts()->value_name("RUN"),
                      "of schedule: predict this curve instead of fitting it; may be repeated");
    all.add_options()("base", text()->value_name("E=..,A=..,.."),
                      "the law of fresh data that repetition builds on (default: fitted with it)");
    all.add_options()("check", text()->value_name("E=..,A=..,.."),
                      "a published joint law: how far it lies from the one fitted");
    all.add_options()("constrain", text()->value_name("alpha=beta"),
                      "of joint: one exponent for size and data");
    all.add_options()("intervals", text()->default_value("bootstrap")->value_name("WHAT"),
                      "of laws' parameters: bootstrap, or profile (with --objective l2)");
    all.add_options()("minimum", text()->default_value("auto")->value_name("HOW"),
                      "of an isoFLOP budget: akima (curve through all sizes), parabola (near the lowest) or "
                      "auto (akima unless the losses are too noisy for it)");
    all.add_options()("seed", po::value<std::int64_t>()->default_value(1)->value_name("S"),
                      "of the bootstrap");
    all.add_options()("at-flops", po::value<std::vector<double>>()->value_name("C"),
                      "recommend for this budget; may be repeated (default: 100 times the largest)");
    all.add_options()("inference-tokens", po::value<double>()->value_name("T"),
                      "also find the cheapest model over a life of T tokens read or written");
    all.add_options()("reference", texts()->value_name("NAME=BITS"),
                      "bits per byte to compare with, as \"xz -9=2.13\"; may be repeated");
    all.add_options()("brief", po::bool_switch(),
                      "print the laws at a glance and the decision, without each law's own section");
    all.add_options()("json", text()->value_name("FILE"),
                      "write the answer as JSON; - prints it instead of the text");
    all.add_options()("report", text()->value_name("DIR"),
                      "write DIR/report.html (and DIR/fit.json unless --json is given)");
    return all;
}

/// Splits NAME=VALUE at this `=` of the text; nothing where there is none, or no name before it.
std::optional<std::pair<std::string, std::string>> split(const std::string& text, std::size_t equals) {
    if (equals == std::string::npos || equals == 0) return std::nullopt;
    return std::pair{text.substr(0, equals), text.substr(equals + 1)};
}

template <class T>
std::vector<T> all_of(const po::variables_map& given, const char* option) {
    return given.count(option) ? given[option].as<std::vector<T>>() : std::vector<T>{};
}

std::string text_of(const po::variables_map& given, const char* option) {
    return given.count(option) ? given[option].as<std::string>() : std::string{};
}

/// A whole number from 0 on. Boost reads -1 as the largest there is where the type has no sign.
std::uint64_t count_of(const po::variables_map& given, const std::string& option, base::Faults& faults,
                       std::int64_t most = 1'000'000) {
    const auto value = given[option].as<std::int64_t>();
    if (value < 0 || value > most)
        faults.push_back({"--" + option, "is " + std::to_string(value),
                          value < 0 ? "it counts from 0" : "the most is " + std::to_string(most),
                          "write for example " + std::string(option == "drop-highest-loss" ? "3" : "1000")});
    return static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0));
}

/// Takes what was parsed, or its faults.
template <class T, class Into>
void take(const base::Result<T>& parsed, Into& into, base::Faults& faults) {
    if (parsed)
        into = *parsed;
    else
        faults.insert(faults.end(), parsed.error().begin(), parsed.error().end());
}

void check_input(const po::variables_map& given, Request& request, base::Faults& faults) {
    const bool archive = given.count("archive") > 0, csv = given.count("csv") > 0;
    if (archive == csv)
        faults.push_back({"", archive ? "an archive and --csv together" : "no runs to fit",
                          "one input is needed",
                          "name an archive, or --csv FILE with --columns; see isogrid-fit --help"});
    for (const char* option : {"columns", "where"})
        if (archive && given.count(option))
            faults.push_back({std::string("--") + option, "says nothing about an archive",
                              "it reads CSV columns", "drop it, or name a CSV with --csv"});
    if (archive && given["skip-bad-rows"].as<bool>())
        faults.push_back({"--skip-bad-rows", "says nothing about an archive",
                          "its trials are whole, or rejected in any case", "drop it"});
    for (const char* option : {"parameters-convention", "flops-convention"})
        if (csv && given.count(option))
            faults.push_back({std::string("--") + option, "says nothing about a CSV",
                              "it counts as its author did", "drop it"});
    if (csv) {
        request.csv.emplace();
        for (const std::string& file : all_of<std::string>(given, "csv"))
            request.files.emplace_back(file);
        request.csv->skip_bad_rows = given["skip-bad-rows"].as<bool>();
        if (given.count("columns") == 0)
            faults.push_back({"--csv", "no --columns", "a CSV's columns may be called anything",
                              "add --columns parameters=COL,tokens=COL,loss=COL"});
        else
            take(parse_columns(text_of(given, "columns")), request.csv->columns, faults);
        for (const std::string& condition : all_of<std::string>(given, "where")) {
            if (auto pair = split(condition, condition.find('=')))  // values may hold one: d=1024_l=24
                request.csv->where.push_back(std::move(*pair));
            else
                faults.push_back(
                    {"--where", "\"" + condition + "\"", "a condition is COL=VALUE", "correct it"});
        }
    }
}

void check_archive(const po::variables_map& given, Request& request, base::Faults& faults) {
    request.archive.file = text_of(given, "archive");
    request.archive.drop_highest_loss = count_of(given, "drop-highest-loss", faults);
    if (request.csv) request.csv->drop_highest_loss = request.archive.drop_highest_loss;
    if (const std::string name = text_of(given, "parameters-convention"); name == "non_embedding")
        request.archive.parameters = ParameterConvention::non_embedding;
    else if (!name.empty() && name != "total")
        faults.push_back({"--parameters-convention", "unknown convention " + name,
                          "there are total and non_embedding", "use one of them"});
    if (const std::string name = text_of(given, "flops-convention"); !name.empty()) {
        for (const study::FlopConvention convention : study::flop_conventions)
            if (study::name(convention) == name) request.archive.flops = convention;
        if (!request.archive.flops)
            faults.push_back({"--flops-convention", "unknown convention " + name,
                              "there are six_n, matmul, attention and exact", "use one of them"});
    }
}

void check_laws(const po::variables_map& given, Request& request, base::Faults& faults) {
    std::vector<std::string> known;
    for (const Law& law : laws())
        known.emplace_back(law.name);
    for (const std::string& wanted : all_of<std::string>(given, "law")) {
        if (wanted == "all") continue;
        const auto meant = base::nearest(wanted, known);
        if (std::none_of(laws().begin(), laws().end(), [&](const Law& law) { return law.name == wanted; }))
            faults.push_back({"--law", "unknown law " + wanted, "there are " + base::listed(known),
                              meant ? "write " + *meant : "use one of them, or all"});
        request.laws.push_back(wanted);
    }
}

void check_fit(const po::variables_map& given, Request& request, base::Faults& faults) {
    take(parse_objective(text_of(given, "objective")), request.fit.objective, faults);
    request.fit.objective_asked = !given["objective"].defaulted();
    request.fit.bootstrap = count_of(given, "bootstrap", faults);
    take(parse_resampling(text_of(given, "resample")), request.fit.resampling, faults);
    request.fit.resampling_asked = !given["resample"].defaulted();
    request.fit.overhead_from = given["overhead-from"].as<double>();
    if (!(request.fit.overhead_from >= 0) || !std::isfinite(request.fit.overhead_from))
        faults.push_back({"--overhead-from", "not a batch", "a batch is positive", "write for example 256"});
    if (given.count("check"))
        take(parse_given_law(text_of(given, "check"), "--check"), request.fit.check, faults);
    if (const std::string constraint = text_of(given, "constrain"); constraint == "alpha=beta")
        request.fit.equal_exponents = true;
    else if (given.count("constrain"))
        faults.push_back({"--constrain", "\"" + constraint + "\" is no constraint", "there is alpha=beta",
                          "write --constrain alpha=beta"});
    request.fit.hold_out = all_of<std::string>(given, "hold-out");
    if (given.count("base")) take(parse_given_law(text_of(given, "base")), request.fit.base, faults);
    take(parse_intervals(text_of(given, "intervals")), request.fit.intervals, faults);
    if (request.fit.intervals == Intervals::profile && request.fit.objective.kind != ObjectiveKind::l2)
        faults.push_back({"--intervals", "no profile of " + to_string(request.fit.objective),
                          "only a sum of squares has a known distribution", "add --objective l2"});
    take(parse_minimum(text_of(given, "minimum")), request.fit.minimum, faults);
    request.fit.seed = count_of(given, "seed", faults, std::numeric_limits<std::int64_t>::max());
}

void check_targets(const po::variables_map& given, Request& request, base::Faults& faults) {
    request.targets = all_of<double>(given, "at-flops");
    for (const double target : request.targets)
        if (!(target > 0) || !std::isfinite(target))
            faults.push_back({"--at-flops", "not a budget", "FLOPs are positive", "write for example 1e21"});
    if (given.count("inference-tokens")) request.inference_tokens = given["inference-tokens"].as<double>();
    if (request.inference_tokens &&
        !(*request.inference_tokens > 0 && std::isfinite(*request.inference_tokens)))
        faults.push_back(
            {"--inference-tokens", "not a count", "tokens are positive", "write for example 1e12"});
    for (const std::string& text : all_of<std::string>(given, "reference")) {
        const auto pair = split(text, text.rfind('='));  // names may hold one: xz --lzma2=dict=64MiB
        char* end = nullptr;
        const double bits = pair ? std::strtod(pair->second.c_str(), &end) : 0;
        if (!pair || *end != '\0' || !(bits > 0))
            faults.push_back({"--reference", "\"" + text + "\"", "a reference is NAME=BITS with bits above 0",
                              "write for example \"xz -9=2.13\""});
        else
            request.references.push_back({pair->first, bits});
    }
}

}  // namespace

base::Result<Request> parse_command_line(const std::vector<std::string>& words) {
    const auto read = program::read_options(words, options(), {"archive"}, false, "isogrid-fit", "");
    if (!read) return tl::unexpected(read.error());
    const po::variables_map& given = *read;
    Request request;
    if (given.contains("help") || given.contains("version")) {
        request.asked = given.contains("help") ? Asked::help : Asked::version;
        return request;
    }
    base::Faults faults;
    check_input(given, request, faults);
    check_archive(given, request, faults);
    check_laws(given, request, faults);
    check_fit(given, request, faults);
    check_targets(given, request, faults);
    for (const char* option : {"json", "report"})
        if (given.count(option) && text_of(given, option).empty())
            faults.push_back({std::string("--") + option, "names nothing", "it is empty",
                              "say where to write, or leave it out"});
    request.json = text_of(given, "json");
    request.brief = given["brief"].as<bool>();
    request.report = text_of(given, "report");
    if (!request.report.empty() && request.json.empty()) request.json = request.report + "/fit.json";
    if (!faults.empty()) return tl::unexpected(faults);
    return request;
}

std::string help_text() {
    std::ostringstream text;
    text << usage << "\n" << options() << "\nlaws, and what the runs must hold for them (docs/laws)\n";
    const std::string margin(18, ' ');
    for (const Law& law : laws())
        text << "  " << law.name << margin.substr(std::min(law.name.size(), margin.size() - 1)) << law.title
             << "\n  " << margin << "from " << to_string(law.needs) << "\n";
    return text.str();
}

}  // namespace isogrid::analysis
