// Tokens/s of training steps on the first CUDA card, in turns with other programs: ./dev gpu --against
// COMMAND. Ends with 77 where there is no card, so that a test of it counts as skipped.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/program_options.hpp>

#include "base/fault.hpp"
#include "model/llama.hpp"
#include "train/bench/packed.hpp"
#include "train/bench/profile.hpp"
#include "train/bench/rivals.hpp"
#include "train/bench/roofline.hpp"
#include "train/bench/shapes.hpp"
#include "train/bench/step.hpp"

namespace isogrid::bench {
namespace {

namespace options = boost::program_options;

/// 1M to 300M parameters at 65,536 tokens a step, and 1M at 8,192.
constexpr const char* shapes_of_proxies =
    "128,5,2,1024,64,8192;256,6,4,1024,64,8192;512,6,8,1024,64,8192;768,14,12,1024,64,8192;"
    "1024,24,16,1024,64,8192;128,5,2,1024,8,8192";

constexpr int exit_skipped = 77;

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
    return values[values.size() / 2];
}

double tokens_per_second(const BenchShape& shape, const std::string& precision, double seconds,
                         kernels::Backend& backend) {
    Training training(shape, precision, backend);
    return static_cast<double>(shape.tokens_per_step()) / seconds_a_step(training, seconds);
}

/// The last shape, which is the smallest step, on 1, 2, 4 and 8 seats of the card.
int run_packed(const std::vector<BenchShape>& shapes, const std::string& precision, double seconds) {
    const BenchShape& shape = shapes.back();
    double alone = 0;
    for (const int together : {1, 2, 4, 8}) {
        const double rate = tokens_per_second_together(shape, precision, together, seconds);
        if (together == 1) alone = rate;
        std::printf("%-28s %d at once %10.0f tokens/s %8.2f times one\n", shape.label().c_str(), together,
                    rate, rate / alone);
        std::fflush(stdout);
    }
    return 0;
}

int run(const options::variables_map& given) {
    const auto shapes = parse_shapes(given["configs"].as<std::string>());
    if (!shapes) {
        std::cerr << base::to_string(shapes.error());
        return 2;
    }
    const std::string precision = given["precision"].as<std::string>();
    const double peak = given["peak"].as<double>() * 1e12;
    const Card card{.flops_a_second = peak, .bytes_a_second = given["bandwidth"].as<double>() * 1e12};
    if (given.contains("roofline")) {
        for (const BenchShape& shape : *shapes)
            std::cout << to_text(roofline_of(shape, precision, card)) << "\n";
        return 0;
    }
    std::unique_ptr<kernels::Backend> backend;
    try {
        backend = kernels::make_cuda_backend(0);
    } catch (const std::exception& error) {
        std::cout << "nothing timed: " << error.what() << "\n";
        return exit_skipped;
    }
    if (given.contains("packed")) return run_packed(*shapes, precision, given["seconds"].as<double>());
    if (given.contains("profile")) {
        for (const BenchShape& shape : *shapes)
            std::cout << to_text(profile_of(shape, precision, card, *backend, given["seconds"].as<double>()))
                      << "\n"
                      << std::flush;
        return 0;
    }
    std::vector<Rival> rivals;
    if (given.contains("against"))
        for (const std::string& command : given["against"].as<std::vector<std::string>>())
            rivals.push_back({.command = command, .heading = {}});

    std::printf("%s, %s, share of %.0f TFLOP/s by the exact count\n", backend->instruction_set().c_str(),
                precision.c_str(), peak / 1e12);
    for (const BenchShape& shape : *shapes) {
        std::vector<double> ours;
        std::vector<std::vector<double>> ratios(rivals.size());
        std::string failures;
        for (int round = 0; round < given["rounds"].as<int>(); ++round) {
            ours.push_back(tokens_per_second(shape, precision, given["seconds"].as<double>(), *backend));
            for (std::size_t i = 0; i < rivals.size(); ++i) {
                const RivalTurn turn = take_turn(rivals[i], shape);
                if (turn.tokens_per_second)
                    ratios[i].push_back(ours.back() / *turn.tokens_per_second);
                else
                    failures += rivals[i].command + ": " + turn.failure + "\n";
            }
        }
        const double rate = median(ours), flops = model::exact_flops_per_token(shape.shape);
        std::printf("%-28s median %10.0f tokens/s %8.2f ms/step %5.1f%%", shape.label().c_str(), rate,
                    1e3 * static_cast<double>(shape.tokens_per_step()) / rate, 100 * rate * flops / peak);
        for (const std::vector<double>& of_rival : ratios)
            if (!of_rival.empty()) std::printf("  %5.2f times as fast", median(of_rival));
        std::printf("\n%s", failures.c_str());
        std::fflush(stdout);
    }
    return 0;
}

}  // namespace
}  // namespace isogrid::bench

int main(int count, char** words) {
    namespace options = boost::program_options;
    options::options_description known("options");
    known.add_options()("help,h", "this")(
        "configs", options::value<std::string>()->default_value(isogrid::bench::shapes_of_proxies),
        "shapes: d,layers,heads,context,batch,vocabulary;...")(
        "precision", options::value<std::string>()->default_value("bfloat16"), "float32 or bfloat16")(
        "seconds", options::value<double>()->default_value(2), "of each measurement")(
        "rounds", options::value<int>()->default_value(3), "of turns")(
        "peak", options::value<double>()->default_value(790), "TFLOP/s that count as all of the card")(
        "bandwidth", options::value<double>()->default_value(3),
        "TB/s of its memory, for --roofline and --profile")(
        "roofline", "what each op of a step does and moves at least, and takes at least; needs no card")(
        "profile", "what each op of a step takes on the card, beside the least that it can take")(
        "packed", "the last shape trained by 1, 2, 4 and 8 trials at once: tokens/s of all together")(
        "against", options::value<std::vector<std::string>>(), "a rival's command; may repeat");
    try {
        options::variables_map given;
        options::store(options::parse_command_line(count, words, known), given);
        if (given.contains("help")) {
            std::cout << known;
            return 0;
        }
        return isogrid::bench::run(given);
    } catch (const std::exception& error) {
        std::cerr << "bench_cuda: " << error.what() << "\n";
        return 1;
    }
}
