#include "analysis/laws/families.hpp"

#include <algorithm>

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

Runs runs_of_family(const Runs& runs, const std::string& family) {
    Runs some = runs;
    std::erase_if(some.used,
                  [&](const Run& run) { return run.family != family && !is_shared(run, runs, family); });
    return some;
}

}  // namespace isogrid::analysis
