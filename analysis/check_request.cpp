#include "analysis/check_request.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/report/sentences.hpp"
#include "base/wording.hpp"

namespace isogrid::analysis {
namespace {

base::Faults why_none_is_used(const Runs& runs) {
    base::Faults faults{{runs.source, "no run can be used", "every run was rejected", "see the reasons:"}};
    for (const RejectedRun& rejected : runs.rejected)
        faults.push_back({runs.source, rejected.name, rejected.reason, ""});
    return faults;
}

base::Faults law_faults(const Request& request, const Runs& runs) {
    base::Faults faults;
    bool any = false;
    for (const Law& law : laws()) {
        const bool named =
            std::find(request.laws.begin(), request.laws.end(), law.name) != request.laws.end();
        if (!named && !request.laws.empty()) continue;
        if (const auto studies = missing_studies(law, runs); !studies.empty()) {
            if (named)
                faults.push_back({runs.source, "has no runs for the law " + std::string(law.name),
                                  describe(NotAsked{std::string(law.name), {}, {}, studies}),
                                  "ask for another law"});
            continue;
        }
        const std::vector<Role> missing = missing_roles(law, runs);
        any = any || missing.empty();
        if (named && !missing.empty())
            faults.push_back({runs.source, "says nothing of " + to_string(missing),
                              "the law " + std::string(law.name) + " is about it",
                              request.csv ? "name such columns with --columns, or ask for another law"
                                          : "ask for another law"});
    }
    if (!any && faults.empty())
        faults.push_back({runs.source, "no law can be fitted",
                          "they need at least parameters, tokens and loss",
                          "name more columns with --columns"});
    return faults;
}

/// A curve that is not there cannot be held out: the fit would take it in under its real name.
base::Faults held_out_faults(const Request& request, const Runs& runs) {
    constexpr std::size_t shown = 5;
    std::vector<std::string> names;
    for (const Run& run : runs.used)
        names.push_back(run.name);
    const std::string some = base::listed(std::span(names).first(std::min(shown, names.size())));
    base::Faults faults;
    for (const std::string& wanted : request.fit.hold_out) {
        if (std::find(names.begin(), names.end(), wanted) != names.end()) continue;
        const auto meant = base::nearest(wanted, names);
        faults.push_back({"--hold-out", "no run is called " + wanted,
                          "there are " + some + (names.size() > shown ? ", .." : ""),
                          meant ? "write " + *meant : "name one of them"});
    }
    return faults;
}

}  // namespace

base::Faults check_request(const Request& request, const Runs& runs) {
    if (runs.used.empty()) return why_none_is_used(runs);
    if (auto faults = law_faults(request, runs); !faults.empty()) return faults;
    return held_out_faults(request, runs);
}

}  // namespace isogrid::analysis
