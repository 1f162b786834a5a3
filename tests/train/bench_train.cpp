// How fast this machine trains: tokens/s and GFLOP/s of each shape in each precision with every core at work,
// beside what bounds them, where the time goes, and how fast other programs are in turns with ours. `./dev
// bench train`.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <boost/program_options.hpp>

#include "base/fault.hpp"
#include "model/llama.hpp"
#include "train/bench/measure.hpp"
#include "train/bench/process.hpp"
#include "train/bench/report.hpp"
#include "train/bench/rivals.hpp"
#include "train/bench/shapes.hpp"
#include "train/bench/step.hpp"

namespace isogrid::bench {
namespace {

namespace options = boost::program_options;

enum ExitCode { done = 0, failed = 1, bad_input = 2 };

constexpr const char* usage = "bench_train [OPTION...]";

struct Request {
    std::vector<BenchShape> shapes;
    std::vector<std::string> precisions;
    Conditions conditions;
    int rounds = 0;
    std::vector<Rival> rivals;
    std::string json;
};

options::options_description described() {
    options::options_description all("options", 100, 50);
    all.add_options()(
        "shapes", options::value<std::string>()->default_value(std::string(default_shapes), "table"),
        "d,layers,heads,context,batch,vocabulary;...: hidden 8d/3 rounded up to 16, untied head");
    all.add_options()("precision", options::value<std::string>()->default_value("float32,bfloat16"),
                      "those that this build does not train in are left out");
    all.add_options()("isa", options::value<std::string>()->default_value("", "best"),
                      "instruction set of the CPU backend");
    all.add_options()("processes", options::value<int>()->default_value(0, "one a core"),
                      "models trained at once, each on one core");
    all.add_options()("seconds", options::value<double>()->default_value(2, "2"),
                      "of measured steps, at least 5 steps");
    all.add_options()(
        "against", options::value<std::vector<std::string>>(),
        "a command that prints `median X tokens/s`, run in turns with ours; `--configs SHAPE` is "
        "appended if it takes that; may be given again");
    all.add_options()("against-copies", options::value<std::vector<int>>(),
                      "of the --against before it: run so many at once and add up their tokens/s");
    all.add_options()("rounds", options::value<int>()->default_value(0, "3"), "turns with --against, else 1");
    all.add_options()("json", options::value<std::string>()->default_value("", "none"),
                      "write results to a file");
    all.add_options()("help,h", "this");
    return all;
}

base::Faults fault(std::string where, std::string problem, std::string why, std::string action) {
    return {{std::move(where), std::move(problem), std::move(why), std::move(action)}};
}

/// Rivals in their order, each with the copies that follow it.
base::Result<std::vector<Rival>> rivals_of(const options::parsed_options& parsed) {
    std::vector<Rival> rivals;
    for (const options::option& given : parsed.options) {
        if (given.string_key == "against") rivals.emplace_back().command = given.value.at(0);
        if (given.string_key != "against-copies") continue;
        if (rivals.empty())
            return base::fail("--against-copies", "follows no --against", "it says how often that one runs",
                              "put it behind the --against it belongs to");
        rivals.back().copies = std::stoi(given.value.at(0));  // boost read it as a number before
        if (rivals.back().copies < 1)
            return base::fail("--against-copies", given.value.at(0) + " is less than 1", "copies run at once",
                              "give 1 or more");
    }
    return rivals;
}

std::vector<std::string> words_of(const std::string& list) {
    std::vector<std::string> words(1);
    for (const char letter : list)
        if (letter == ',')
            words.emplace_back();
        else
            words.back() += letter;
    return words;
}

base::Result<Request> read_request(const options::variables_map& given,
                                   const options::parsed_options& parsed) {
    Request request;
    const auto text = [&](const char* name) { return given[name].as<std::string>(); };
    base::Result<std::vector<BenchShape>> shapes = parse_shapes(text("shapes"));
    if (!shapes) return tl::make_unexpected(shapes.error());
    request.shapes = std::move(*shapes);
    for (const std::string& word : words_of(text("precision"))) {
        if (word != "float32" && word != "bfloat16")
            return base::fail("--precision", "'" + word + "' is no precision",
                              "there are float32 and bfloat16", "name one or both, separated by a comma");
        request.precisions.push_back(word);
    }
    request.conditions.instruction_set = text("isa");
    request.conditions.cores = usable_cores().size();
    request.conditions.processes = given["processes"].as<int>();
    request.conditions.seconds = given["seconds"].as<double>();
    if (given["processes"].defaulted())
        request.conditions.processes = static_cast<int>(request.conditions.cores);
    if (request.conditions.processes < 1)
        return base::fail("--processes", "is less than 1", "each trains a model", "give 1 or more");
    if (!(request.conditions.seconds >= 0 && request.conditions.seconds <= 3600))
        return base::fail("--seconds", "is not between 0 and 3600", "it is how long steps are measured",
                          "give 2 or more for numbers to keep");
    base::Result<std::vector<Rival>> rivals = rivals_of(parsed);
    if (!rivals) return tl::make_unexpected(rivals.error());
    request.rivals = std::move(*rivals);
    request.rounds =
        given["rounds"].defaulted() ? (request.rivals.empty() ? 1 : 3) : given["rounds"].as<int>();
    if (request.rounds < 1)
        return base::fail("--rounds", "is less than 1", "each measures everything once", "give 1 or more");
    request.json = text("json");
    return request;
}

/// One shape: in every round ours, then each rival.
ShapeResults measure_shape(const BenchShape& shape, Report& report) {
    ShapeResults results;
    results.shape = shape;
    results.exact_flops_per_token = model::exact_flops_per_token(shape.shape);
    results.rivals.resize(report.rivals.size());
    for (int round = 0; round < report.rounds; ++round) {
        for (const std::string& precision : report.precisions) {
            const bool first = round == 0;
            Measurement measured = measure(shape, precision, report.conditions, /*with_profile=*/first);
            Result& result = results.ours[precision];
            result.tokens_per_second.push_back(measured.tokens_per_second);
            if (first) result.first = std::move(measured);
        }
        if (round == 0) print_rates(std::cout, results);
        for (std::size_t i = 0; i < report.rivals.size(); ++i) {
            const RivalTurn turn = take_turn(report.rivals[i], shape);
            results.rivals[i].push_back(turn.tokens_per_second);
            if (!turn.tokens_per_second)
                std::cerr << "bench_train: no rate of `" << report.rivals[i].command << "` for "
                          << shape.label() << ": " << turn.failure;
        }
    }
    return results;
}

int benchmark(const Request& request) {
    Report report{.processor = processor_name(),
                  .conditions = request.conditions,
                  .precisions = {},
                  .rounds = request.rounds,
                  .rivals = request.rivals,
                  .shapes = {}};
    for (const std::string& precision : request.precisions)
        if (trains_in(precision))
            report.precisions.push_back(precision);
        else
            std::cout << precision << ": skipped (this build does not train in it)\n";
    print_head(std::cout, report);
    if (!report.precisions.empty()) print_titles(std::cout);
    for (const BenchShape& shape : request.shapes)
        report.shapes.push_back(measure_shape(shape, report));
    if (!report.precisions.empty()) print_multiply_adds(std::cout, report);
    print_shares(std::cout, report);
    print_rivals(std::cout, report);
    if (!request.json.empty() && !(std::ofstream(request.json) << to_json(report) << std::flush)) {
        std::cerr << base::to_string(fault(request.json, "cannot be written",
                                           "the disk or the folder refuses",
                                           "name another file with --json"));
        return failed;
    }
    return done;
}

int run(int count, char** words) {
    const options::options_description all = described();
    options::variables_map given;
    std::optional<options::parsed_options> parsed;
    try {
        const auto style =
            options::command_line_style::default_style & ~options::command_line_style::allow_guessing;
        parsed = options::command_line_parser(count, words)
                     .options(all)
                     .positional(options::positional_options_description())
                     .style(style)
                     .run();
        options::store(*parsed, given);
    } catch (const options::error& error) {
        std::cerr << base::to_string(
            fault("bench_train", error.what(), std::string("usage: ") + usage, "see --help"));
        return bad_input;
    }
    if (given.contains("help")) {
        std::cout << "usage: " << usage << "\n\n" << all;
        return done;
    }
    const base::Result<Request> request = read_request(given, *parsed);
    if (!request) {
        std::cerr << base::to_string(request.error());
        return bad_input;
    }
    const StopSignals signals;
    try {
        return benchmark(*request);
    } catch (const Interrupted& stop) {
        std::cerr << "\nbench_train: interrupted (its processes are ended, too)\n";
        return 128 + stop.signal;
    } catch (const std::exception& error) {
        std::cerr << "bench_train: " << error.what() << "\n";
        return failed;
    }
}

}  // namespace
}  // namespace isogrid::bench

int main(int count, char** words) {
    return isogrid::bench::run(count, words);
}
