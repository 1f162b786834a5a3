#include "analysis/laws/families.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

namespace isogrid::analysis {

namespace {

bool is_shared(const Run& run, const Runs& runs, const std::string& family) {
    const auto same_cell = [&](const Run& other) {
        return other.family == family && other.budget == run.budget && other.parameters == run.parameters &&
               other.seed == run.seed;
    };
    const auto rejected = [&](const RejectedRun& other) { return other.name == family + "-" + run.name; };
    return std::find(run.studies.begin(), run.studies.end(), "schedules") != run.studies.end() &&
           run.family == runs.used.front().family &&
           std::none_of(runs.used.begin(), runs.used.end(), same_cell) &&
           std::none_of(runs.rejected.begin(), runs.rejected.end(), rejected);
}

}  // namespace

std::vector<std::string> families_of(const Runs& runs) {
    std::vector<std::string> families;
    for (const Run& run : runs.used)
        if (!run.family.empty() && run.budget > 0 &&
            std::find(families.begin(), families.end(), run.family) == families.end())
            families.push_back(run.family);
    return families;
}

LargestFamily largest_family(const Runs& runs) {
    struct Members {
        std::size_t count = 0;
        double lowest = std::numeric_limits<double>::infinity();
    };
    std::map<std::string, Members> families;
    for (const Run& run : runs.used) {
        Members& members = families[run.family];
        ++members.count;
        members.lowest = std::min(members.lowest, run.loss);
    }
    if (families.size() < 2) return {runs, ""};
    const auto largest = std::max_element(families.begin(), families.end(), [](const auto& a, const auto& b) {
        return std::pair(a.second.count, -a.second.lowest) < std::pair(b.second.count, -b.second.lowest);
    });
    const auto count_of = [](const auto& family) {
        return std::to_string(family.second.count) + " of " +
               (family.first.empty() ? "no family" : family.first);
    };
    constexpr std::size_t shown = 5;
    std::string others;
    std::size_t listed = 0;
    for (auto at = families.begin(); at != families.end() && listed < shown; ++at)
        if (at != largest) others += (listed++ > 0 ? ", " : "") + count_of(*at);
    const std::size_t unlisted = families.size() - 1 - listed;
    if (unlisted > 0) others += ", and those of " + std::to_string(unlisted) + " more";
    LargestFamily chosen{runs,
                         "fitted to the " + count_of(*largest) + ", the family with most runs; " + others +
                             " are left out, as families do not follow one law (--where COLUMN=FAMILY "
                             "chooses another; without family= among the columns all are taken for one)"};
    std::erase_if(chosen.runs.used, [&](const Run& run) { return run.family != largest->first; });
    return chosen;
}

Runs runs_of_family(const Runs& runs, const std::string& family) {
    Runs some = runs;
    std::erase_if(some.used,
                  [&](const Run& run) { return run.family != family && !is_shared(run, runs, family); });
    return some;
}

}  // namespace isogrid::analysis
