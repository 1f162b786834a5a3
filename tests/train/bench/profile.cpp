#include "train/bench/profile.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

namespace isogrid::bench {
namespace {

constexpr const char* ending = "norm and adamw";  // the roofline's name of what comes behind the graph

std::string line_of(const OpCost& op, double measured) {
    char line[160];
    std::snprintf(line, sizeof line, "%-26s %6.0f %9.0f %9.3f %9.3f %9.3f %9.2f\n", op.name.c_str(), op.count,
                  op.launches, 1e3 * op.seconds, 1e3 * op.seconds_alone, 1e3 * measured,
                  measured / op.seconds);
    return line;
}

}  // namespace

double seconds_a_step(Training& training, double seconds) {
    using Clock = std::chrono::steady_clock;
    constexpr int most_steps = 10;
    constexpr int fewest_turns = 3;
    const auto turn = [&](int steps) {
        const auto before = Clock::now();
        for (int i = 0; i < steps; ++i)
            training.step();
        training.wait();
        return std::chrono::duration<double>(Clock::now() - before).count() / steps;
    };
    turn(2);  // makes ready, and records
    // Steps of large models are long enough to be timed one by one.
    const int steps = std::clamp(static_cast<int>(seconds / fewest_turns / turn(1)), 1, most_steps);
    std::vector<double> turns;
    const auto start = Clock::now();
    while (turns.size() < fewest_turns || Clock::now() - start < std::chrono::duration<double>(seconds))
        turns.push_back(turn(steps));
    std::nth_element(turns.begin(), turns.begin() + static_cast<std::ptrdiff_t>(turns.size() / 2),
                     turns.end());
    return turns[turns.size() / 2];
}

Profile profile_of(const BenchShape& shape, std::string_view precision, const Card& card,
                   kernels::Backend& backend, double seconds) {
    Profile profile{.roofline = roofline_of(shape, precision, card), .measured = {}};
    Training training(shape, precision, backend);
    profile.seconds_a_step = seconds_a_step(training, seconds);
    constexpr int timed = 5, ahead = 2;
    Seconds all, not_ready;
    training.timed_step(not_ready);  // takes scratch memory of its own, for which the card stands still
    for (int i = 0; i < timed; ++i) {
        for (int step = 0; step < ahead; ++step)
            training.step();
        training.timed_step(all);
    }
    for (const auto& [op, spent] : all) {
        if (op == Training::all) continue;
        const bool in_graph = std::any_of(profile.roofline.ops.begin(), profile.roofline.ops.end(),
                                          [&](const OpCost& cost) { return cost.name == op; });
        profile.measured[in_graph ? op : ending] += spent / timed;
    }
    return profile;
}

std::string to_text(const Profile& profile) {
    const auto measured = [&](const OpCost& op) {
        const auto found = profile.measured.find(op.name);
        return found == profile.measured.end() ? 0 : found->second;
    };
    std::vector<OpCost> ops = profile.roofline.ops;
    std::stable_sort(ops.begin(), ops.end(), [&](const OpCost& a, const OpCost& b) {
        return measured(a) - a.seconds > measured(b) - b.seconds;
    });
    char line[240];
    std::snprintf(line, sizeof line, "%s, %.0f tokens, %.3f ms a step as one launch\n",
                  profile.roofline.shape.c_str(), profile.roofline.tokens, 1e3 * profile.seconds_a_step);
    std::string text = line;
    std::snprintf(line, sizeof line, "%-26s %6s %9s %9s %9s %9s %9s\n", "op", "count", "launches", "ms least",
                  "ms alone", "ms here", "here/least");
    text += line;
    double sum = 0;
    for (const OpCost& op : ops) {
        text += line_of(op, measured(op));
        sum += measured(op);
    }
    return text + line_of(profile.roofline.all, sum);
}

}  // namespace isogrid::bench
