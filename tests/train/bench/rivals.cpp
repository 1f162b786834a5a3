#include "train/bench/rivals.hpp"

#include <algorithm>
#include <regex>
#include <utility>
#include <vector>

#include "train/bench/process.hpp"

namespace isogrid::bench {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return lines;
}

bool names_bfloat16(const std::string& text) {
    static const std::regex word("bf16|bfloat16", std::regex::icase);
    return std::regex_search(text, word);
}

/// Whether a line's own `name=VALUE` is another than `expected`.
bool contradicts(const std::string& line, const std::string& field, std::int64_t expected) {
    std::smatch match;
    return std::regex_search(line, match, std::regex("\\b" + field + "=(\\d+)\\b")) &&
           match[1] != std::to_string(expected);
}

std::string command_for(const Rival& rival, const BenchShape& shape) {
    return rival.takes_configs ? rival.command + " --configs '" + shape.label() + "'" : rival.command;
}

/// The cores of copy `index`: equal parts of the machine, shared where there are more copies than cores.
std::vector<int> part(const std::vector<int>& cores, int index, int copies) {
    const std::size_t size = std::max<std::size_t>(1, cores.size() / static_cast<std::size_t>(copies));
    std::vector<int> mine;
    for (std::size_t i = 0; i < size; ++i)
        mine.push_back(cores[(static_cast<std::size_t>(index) * size + i) % cores.size()]);
    return mine;
}

std::vector<Child> run_copies(const Rival& rival, const BenchShape& shape) {
    const std::vector<int> cores = usable_cores();
    std::vector<Child> copies;
    for (int index = 0; index < rival.copies; ++index)
        copies.push_back(Child::start_command(command_for(rival, shape), part(cores, index, rival.copies)));
    wait_for(copies, /*until_first_failure=*/false);
    return copies;
}

bool refuses_configs(const std::vector<Child>& copies) {
    return std::any_of(copies.begin(), copies.end(), [](const Child& copy) {
        return copy.failed() && copy.output().find("--configs") != std::string::npos;
    });
}

}  // namespace

std::string precision_of(const Rival& rival) {
    return names_bfloat16(rival.command) || names_bfloat16(rival.heading) ? "bfloat16" : "float32";
}

std::optional<double> tokens_per_second_in(std::string_view output, const BenchShape& shape) {
    static const std::regex rate(R"(\bmedian\s+([0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?)\s+tokens/s)");
    std::optional<double> found;
    for (const std::string& line : lines_of(output)) {
        std::smatch match;
        if (!std::regex_search(line, match, rate)) continue;
        const study::Shape& model = shape.shape;
        const std::vector<std::pair<std::string, std::int64_t>> fields{{"d", model.width},
                                                                       {"L", model.depth},
                                                                       {"context", model.context},
                                                                       {"batch", shape.batch},
                                                                       {"vocab", model.vocabulary}};
        const bool of_another = std::any_of(fields.begin(), fields.end(), [&](const auto& field) {
            return contradicts(line, field.first, field.second);
        });
        if (!of_another) found = std::stod(match[1]);
    }
    return found;
}

std::string last_lines(std::string_view text, int count) {
    const std::vector<std::string> lines = lines_of(text);
    std::string last;
    for (std::size_t i = lines.size() - std::min(lines.size(), static_cast<std::size_t>(count));
         i < lines.size(); ++i)
        last += "    " + lines[i] + "\n";
    return last;
}

RivalTurn take_turn(Rival& rival, const BenchShape& shape) {
    constexpr int lines_shown = 5;
    std::vector<Child> copies = run_copies(rival, shape);
    if (rival.takes_configs && refuses_configs(copies)) {
        rival.takes_configs = false;
        copies = run_copies(rival, shape);
    }
    RivalTurn turn{0.0, {}};
    for (const Child& copy : copies) {
        for (const std::string& line : lines_of(copy.output()))
            if (rival.heading.empty() && line.starts_with("#"))
                rival.heading = line.substr(std::min(line.size(), line.find_first_not_of("# ")));
        const std::optional<double> rate = tokens_per_second_in(copy.output(), shape);
        if (rate && !copy.failed()) {
            if (turn.tokens_per_second) *turn.tokens_per_second += *rate;
            continue;
        }
        turn.tokens_per_second.reset();
        turn.failure = (copy.failed() ? copy.how_it_ended() : "no line `median X tokens/s` for this shape") +
                       "; it ended:\n" + last_lines(copy.output(), lines_shown);
    }
    return turn;
}

}  // namespace isogrid::bench
