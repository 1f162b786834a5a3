#include "archive/verify.hpp"

#include <nlohmann/json.hpp>

#include "archive/archive.hpp"
#include "archive/record_tables.hpp"
#include "archive/schema.hpp"
#include "archive/texts.hpp"
#include "base/digest.hpp"

namespace isogrid::archive {

namespace {

std::string status(bool good) {
    return good ? "ok" : "damaged";
}

void judge_trials(hid_t file, const std::string& where, VerifyReport& report) {
    const CheckedRecords checked = read_records(file, where, WeightsUse::check);
    base::Sha256 all;
    for (const CheckedRecord& record : checked.records) {
        const std::string computed = digest(record.record);
        all.update(computed);
        report.trials.push_back(
            {record.record.index, record.record.planned.name, record.id, computed, record.faults.empty()});
    }
    report.digest = all.finish();
    report.faults = all_faults(checked);
    if (report.digest != read_attribute(file, "digest"))
        report.faults.push_back({where, "has another digest than it says",
                                 "the attribute digest is not that of its trials", "bring back a good copy"});
}

}  // namespace

VerifyReport verify_archive(const std::filesystem::path& path) {
    VerifyReport report;
    const auto file = open_checked(path, archive_schema);
    if (!file) {
        report.faults = file.error();
        return report;
    }
    try {
        judge_trials(*file, path.string(), report);
        if (!report.good()) return report;
        if (const auto around = read_archive(path); !around)
            report.faults = around.error();  // job text, corpus and build facts
    } catch (const Hdf5Error& error) {
        report.faults = damaged(path, error).value();
    }
    return report;
}

nlohmann::ordered_json to_json(const VerifyReport& report) {
    nlohmann::ordered_json json = {{"digest", report.digest}, {"status", status(report.good())}};
    json["trials"] = nlohmann::ordered_json::array();
    for (const TrialVerdict& trial : report.trials)
        json["trials"].push_back({{"index", trial.index},
                                  {"name", trial.name},
                                  {"id", trial.id},
                                  {"digest", trial.digest},
                                  {"status", status(trial.good)}});
    json["faults"] = nlohmann::ordered_json::array();
    for (const base::Fault& fault : report.faults)
        json["faults"].push_back(base::to_string(fault));
    return json;
}

std::string to_text(const VerifyReport& report) {
    std::string text = base::to_string(report.faults);
    std::size_t good = 0;
    for (const TrialVerdict& trial : report.trials)
        good += trial.good ? 1 : 0;
    text +=
        std::to_string(good) + " of " + std::to_string(report.trials.size()) + " trials are good; digest ";
    return text + (report.digest.empty() ? "unknown" : report.digest) + "\n";
}

}  // namespace isogrid::archive
