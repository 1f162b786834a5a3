#include "train/bench/measure.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>

#include <nlohmann/json.hpp>

#include "train/bench/peak.hpp"
#include "train/bench/team.hpp"

namespace isogrid::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Whether more members than cores take turns: then a call's median would leave out the turns of the others,
/// and only the mean tells what all of them got done.
bool take_turns(const Conditions& conditions) {
    return static_cast<std::size_t>(conditions.processes) > conditions.cores;
}

double typical(const std::vector<double>& times, const Conditions& conditions) {
    if (!take_turns(conditions)) return median(times);
    return std::accumulate(times.begin(), times.end(), 0.0) / static_cast<double>(times.size());
}

/// Seconds of each call of `run`, made at the same time as the other members' until each of them has made
/// `least` and spent `seconds`.
std::vector<double> time_together(Member& member, const std::function<void()>& run, int least,
                                  double seconds) {
    std::vector<double> times;
    double spent = 0;
    member.work_together(
        [&] {
            const Clock::time_point start = Clock::now();
            run();
            times.push_back(seconds_since(start));
            spent += times.back();
            return spent >= seconds && times.size() >= static_cast<std::size_t>(least);
        },
        run);
    return times;
}

Json profile_of(Member& member, Training& training, const BenchShape& shape, const std::string& precision,
                kernels::Backend& backend, const Conditions& conditions) {
    Json profile;
    Seconds seconds, ignored;
    double spent = 0;
    int steps = 0;
    member.work_together(
        [&] {
            const Clock::time_point start = Clock::now();
            training.timed_step(seconds);
            spent += seconds_since(start);
            return ++steps >= 2 && spent >= conditions.seconds / 2;
        },
        [&] { training.timed_step(ignored); });
    profile["seconds"] = seconds;

    // Where members take turns, long enough for some of the scheduler's.
    const double long_enough = take_turns(conditions) ? 0.2 : 0.03;
    for (const Product& product : products_of(shape, precision, backend)) {
        product.run();
        profile["products"].push_back(
            {{"name", product.name},
             {"count", product.count},
             {"flops", product.flops},
             {"seconds", typical(time_together(member, product.run, 3, long_enough), conditions)}});
    }
    for (const MultiplyAdds& kind : multiply_adds())
        profile["multiply_adds"][kind.name] =
            kind.flops / typical(time_together(member, kind.run, 3, long_enough), conditions);
    return profile;
}

/// What one process measures, as text for the parent.
std::string work(Member& member, const BenchShape& shape, const std::string& precision,
                 const Conditions& conditions, bool with_profile) {
    const std::unique_ptr<kernels::Backend> backend = make_backend(conditions.instruction_set);
    Training training(shape, precision, *backend);
    training.step();  // makes ready what later steps find
    training.step();
    const std::vector<double> times = time_together(
        member, [&] { training.step(); }, least_steps, conditions.seconds);
    Json result{{"instruction_set", backend->instruction_set()},
                {"step", typical(times, conditions)},
                {"steps", times.size()}};
    if (with_profile)
        result["profile"] = profile_of(member, training, shape, precision, *backend, conditions);
    return result.dump();
}

Profile join(const std::vector<Json>& profiles, const BenchShape& shape) {
    Profile joined;
    double steps_seconds = 0, ops_seconds = 0;
    for (const Json& profile : profiles) {
        for (const auto& [op, seconds] : profile["seconds"].get<Seconds>())
            if (op == Training::all)
                steps_seconds += seconds;
            else {
                joined.shares[op] += seconds;
                ops_seconds += seconds;
            }
        joined.products.resize(profile["products"].size());
        double products_seconds = 0;
        for (std::size_t i = 0; i < joined.products.size(); ++i) {
            const Json& product = profile["products"][i];
            const auto seconds = product["seconds"].get<double>();
            ProductRate& rate = joined.products[i];
            rate.name = product["name"];
            rate.count = product["count"];
            rate.gflops += product["flops"].get<double>() / seconds * 1e-9;
            products_seconds += static_cast<double>(rate.count) * seconds;
        }
        joined.products_tokens_per_second += static_cast<double>(shape.tokens_per_step()) / products_seconds;
        for (const auto& [name, flops] : profile["multiply_adds"].items())
            joined.multiply_adds[name] += flops.get<double>() * 1e-9;
    }
    joined.shares["other"] = std::max(0.0, steps_seconds - ops_seconds);
    for (auto& [op, share] : joined.shares)
        share /= steps_seconds;
    return joined;
}

}  // namespace

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Measurement measure(const BenchShape& shape, const std::string& precision, const Conditions& conditions,
                    bool with_profile) {
    const std::vector<std::string> texts = run_team(conditions.processes, [&](Member& member) {
        return work(member, shape, precision, conditions, with_profile);
    });
    Measurement measured;
    std::vector<Json> profiles;
    for (const std::string& text : texts) {
        const Json result = Json::parse(text);
        const auto seconds = result["step"].get<double>();
        const auto steps = result["steps"].get<int>();
        measured.instruction_set = result["instruction_set"];
        measured.tokens_per_second += static_cast<double>(shape.tokens_per_step()) / seconds;
        measured.ms_per_step += seconds * 1e3 / static_cast<double>(texts.size());
        measured.steps = measured.steps == 0 ? steps : std::min(measured.steps, steps);
        if (with_profile) profiles.push_back(result["profile"]);
    }
    if (with_profile) measured.profile = join(profiles, shape);
    return measured;
}

}  // namespace isogrid::bench
