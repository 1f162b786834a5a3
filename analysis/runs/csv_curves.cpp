#include "analysis/runs/csv_curves.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <tuple>
#include <utility>

#include "base/digest.hpp"
#include "base/wording.hpp"

namespace isogrid::analysis {
namespace {

/// What puts a run's rows in order: the first of tokens, FLOPs and steps that is given and is not the same in
/// all of them, as where a column says what the whole run has.
double CurveSample::*order_of(const Run& run, const std::vector<LostRow>& lost, const Places& places) {
    const auto grows = [&](double CurveSample::*count, const char* role) {
        const auto differs = [&](const CurveSample& row) {
            return row.*count > 0 && row.*count != run.curve.front().*count;
        };
        return places.contains(role) &&
               (std::any_of(run.curve.begin(), run.curve.end(), differs) ||
                std::any_of(lost.begin(), lost.end(), [&](const LostRow& row) { return differs(row.at); }));
    };
    if (grows(&CurveSample::tokens, "tokens")) return &CurveSample::tokens;
    if (grows(&CurveSample::flops, "flops")) return &CurveSample::flops;
    return places.contains("step") ? &CurveSample::step : &CurveSample::tokens;
}

/// How many rejected rows stand behind the last good one, and how many at most before any good one.
struct Gaps {
    std::size_t last = 0, longest = 0;
};

Gaps gaps_between(const std::vector<double>& good, std::vector<double> lost) {
    std::erase_if(lost, [](double place) { return !(place > 0); });
    std::sort(lost.begin(), lost.end());
    Gaps gaps;
    auto after = lost.begin();
    for (const double place : good) {
        const auto next = std::upper_bound(after, lost.end(), place);
        gaps.longest = std::max(gaps.longest, static_cast<std::size_t>(next - after));
        after = next;
    }
    gaps.last = static_cast<std::size_t>(lost.end() - after);
    return gaps;
}

/// How many rejected rows stand behind the run's last good one; 0 where as many in a row stand before some
/// other good one too, as they do where losses are measured seldom, and where they are the last 2% of its
/// rows (a summary of the run, say). Losses that are no numbers are counted by themselves, however few: of a
/// run that diverged an evaluation that was not due says nothing.
std::size_t lost_at_end(const Run& run, const std::vector<LostRow>& rejected, const Places& places) {
    constexpr std::size_t share = 50;
    double CurveSample::*const place_in = order_of(run, rejected, places);
    std::vector<double> good, lost, broken;
    for (const CurveSample& row : run.curve)
        good.push_back(row.*place_in);
    std::sort(good.begin(), good.end());
    for (const LostRow& row : rejected) {
        lost.push_back(row.at.*place_in);
        if (row.broke_down) broken.push_back(row.at.*place_in);
    }
    const Gaps all = gaps_between(good, lost), breaks = gaps_between(good, broken);
    const bool diverged = breaks.last > breaks.longest;
    const bool cut_short = all.last > all.longest && share * all.last > good.size() + lost.size();
    return diverged || cut_short ? all.last : 0;
}

}  // namespace

bool comes_before(const CurveSample& a, const CurveSample& b) {
    const auto known = [](double step) { return std::isnan(step) ? 0 : step; };
    return std::tuple(a.tokens, a.flops, known(a.step)) < std::tuple(b.tokens, b.flops, known(b.step));
}

bool says_the_same(const std::string& one, const std::string& other) {
    if (is_missing(one) || is_missing(other) || one == other) return true;
    const auto first = number(one), second = number(other);
    return first && second && *first == *second;
}

base::Faults find_mixed(const std::vector<Run>& rows, const std::string& source) {
    constexpr std::array texts = {std::pair{Role::seed, &Run::seed}, std::pair{Role::family, &Run::family},
                                  std::pair{Role::parametrization, &Run::parametrization}};
    constexpr std::array numbers = {std::pair{Role::width, &Run::width},
                                    std::pair{Role::experts, &Run::experts},
                                    std::pair{Role::active_parameters, &Run::active_parameters}};
    struct Told {
        Run of;
        bool mixed = false;
    };
    std::map<std::string, Told> runs;
    base::Faults faults;
    for (const Run& row : rows) {
        const auto [at, fresh] = runs.try_emplace(row.name);
        Told& told = at->second;
        if (fresh) told.of = row;
        if (fresh || told.mixed) continue;
        std::vector<std::string> differing;
        for (const auto& [role, member] : texts) {
            if (is_missing(told.of.*member)) told.of.*member = row.*member;
            if (!says_the_same(row.*member, told.of.*member)) differing.emplace_back(name(role));
        }
        if (row.parameters != told.of.parameters) differing.emplace_back(name(Role::parameters));
        for (const auto& [role, member] : numbers)
            if (row.*member != told.of.*member) differing.emplace_back(name(role));
        told.mixed = !differing.empty();
        if (told.mixed)
            faults.push_back(
                {source, "the rows of run " + row.name + " differ in their " + base::listed(differing),
                 "they are of more than one run",
                 "name a column that tells runs apart (run=), or keep the rows of one with --where"});
    }
    return shortened(faults, source);
}

void join_curves(std::vector<Run>& runs) {
    std::vector<Run> joined;
    std::vector<CurveSample> ends;  // of each, so far
    std::map<std::string, std::size_t> place;
    for (Run& row : runs) {
        const auto [at, fresh] = place.try_emplace(row.name, joined.size());
        const CurveSample sample = row.curve.front();
        if (fresh) {
            row.curve.clear();
            joined.push_back(row);
            ends.push_back(sample);
        } else {
            Run& run = joined[at->second];
            std::vector<CurveSample> curve = std::move(run.curve);
            const auto peak = run.learning_rate && row.learning_rate
                                  ? std::optional(std::max(*run.learning_rate, *row.learning_rate))
                                  : std::nullopt;
            const std::string digest = base::sha256(run.digest + row.digest);
            if (comes_before(ends[at->second], sample)) {
                run = row;
                ends[at->second] = sample;
            }
            run.curve = std::move(curve);
            run.learning_rate = peak;
            run.digest = digest;
        }
        joined[at->second].curve.push_back(sample);
    }
    for (Run& run : joined) {
        std::stable_sort(run.curve.begin(), run.curve.end(), comes_before);
        if (!run.steps && run.curve.back().step > 0) run.steps = run.curve.back().step;
    }
    runs = std::move(joined);
}

base::Faults find_unordered(const Runs& runs) {
    base::Faults faults;
    for (const Run& run : runs.used)
        if (run.curve.size() > 1 && !comes_before(run.curve.front(), run.curve.back()))
            faults.push_back({runs.source, "the rows of run " + run.name + " have no order",
                              "none has more tokens, FLOPs or steps than another",
                              "name the column that counts them (step=, tokens= or flops=)"});
    return shortened(faults, runs.source);
}

void reject_unfinished(Runs& runs, const Lost& lost, const Places& places) {
    std::vector<Run> finished;
    std::vector<RejectedRun> rejected;
    for (Run& run : runs.used) {
        const auto rows = lost.find(run.name);
        const std::size_t last = rows == lost.end() ? 0 : lost_at_end(run, rows->second, places);
        if (last == 0)
            finished.push_back(std::move(run));
        else
            rejected.push_back(
                {run.name, run.digest,
                 (last == 1 ? "ends before its last row, which is"
                            : "ends before its last " + std::to_string(last) + " rows, which are") +
                     std::string(" rejected (it may have diverged; without these rows in the "
                                 "file it is taken for a shorter run)")});
    }
    runs.used = std::move(finished);
    runs.rejected.insert(runs.rejected.begin(), rejected.begin(), rejected.end());
}

}  // namespace isogrid::analysis
