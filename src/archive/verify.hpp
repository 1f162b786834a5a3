// Is an archive what was written? Every digest computed again, trial by trial.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/fault.hpp"

namespace isogrid::archive {

struct TrialVerdict {
    std::int64_t index = 0;
    std::string name, id;
    std::string digest;  ///< computed from what the file holds
    bool good = false;
};

struct VerifyReport {
    std::string digest;  ///< of all trials, computed; empty when the file cannot be read at all
    std::vector<TrialVerdict> trials;
    base::Faults faults;  ///< everything that is wrong, trial by trial and of the file; none: all is good

    bool good() const { return faults.empty(); }
};

/// Reads all of the archive, weights too. Damage in one trial leaves the verdicts on the others.
VerifyReport verify_archive(const std::filesystem::path& path);

/// `{"digest": ..., "status": "ok"|"damaged", "trials": [{"index", "name", "id", "digest", "status"}],
/// "faults": [..]}`.
nlohmann::ordered_json to_json(const VerifyReport& report);

/// The report for people: a line for each damaged trial or fault, then a line that counts them.
std::string to_text(const VerifyReport& report);

}  // namespace isogrid::archive
