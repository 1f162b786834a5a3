#include "archive/so_far.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "archive/found.hpp"
#include "archive/run_folder.hpp"
#include "archive/segment.hpp"
#include "archive/trial_file.hpp"

namespace isogrid::archive {

namespace {

using Path = std::filesystem::path;

// Facts of the study file, beside those of every archive.
constexpr std::string_view planned_fact = "trials", budget_fact = "trials_of_budget";

/// `1e+09 7`: a budget in its shortest exact form, and its trials.
std::string budget_text(double budget, std::size_t trials) {
    char digits[32];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), budget).ptr;
    return std::string(digits, end) + " " + std::to_string(trials);
}

void read_facts(const Facts& facts, SoFar& so_far) {
    for (const Fact& fact : facts) {
        const char *begin = fact.value.data(), *end = begin + fact.value.size();
        std::size_t trials = 0;
        double budget = 0;
        if (fact.name == planned_fact && std::from_chars(begin, end, trials).ec == std::errc{})
            so_far.planned = trials;
        if (fact.name != budget_fact) continue;
        const auto [behind, error] = std::from_chars(begin, end, budget);
        if (error == std::errc{} && behind != end &&
            std::from_chars(behind + 1, end, trials).ec == std::errc{})
            so_far.planned_of_budget[budget] = trials;
    }
}

bool is_there(const Path& path) {
    std::error_code absent;
    return std::filesystem::exists(path, absent);
}

/// The good records of a folder's files, and all that speaks against the others.
struct Contents {
    std::vector<FoundRecord> records;
    base::Faults faults;
};

SegmentContent content_of_segment(const Path& file) {
    return read_segment(file, WeightsUse::skip);
}

SegmentContent content_of_trial_file(const Path& file) {
    SegmentContent content;
    auto record = read_trial_file(file, WeightsUse::skip);
    if (record)
        content.records.push_back(std::move(*record));
    else
        content.faults = record.error();
    return content;
}

base::Result<Contents> read_folder(const Path& folder, SegmentContent (*content_of)(const Path&)) {
    const auto files = finished_files(folder);
    if (!files) return tl::unexpected(files.error());
    Contents all;
    for (const Path& file : *files) {
        SegmentContent content = content_of(file);
        if (!content.faults.empty() && !is_there(file)) continue;  // packed or merged since it was listed
        for (TrialRecord& record : content.records)
            all.records.push_back({std::move(record), file});
        all.faults.insert(all.faults.end(), content.faults.begin(), content.faults.end());
    }
    return all;
}

/// One place a trial, in no order.
base::Result<Found> look(const Path& archive) {
    const RunFolder folder(archive);
    // Trial files first: one that goes away meanwhile is in a segment by then, which the second look finds.
    auto files = read_folder(folder.trials, content_of_trial_file);
    if (!files) return tl::unexpected(files.error());
    auto segments = read_folder(folder.segments, content_of_segment);
    if (!segments) return tl::unexpected(segments.error());
    Found found;
    std::map<std::string, std::size_t> places;  // by identity
    for (Contents* read : {&*segments, &*files}) {
        found.rejected.insert(found.rejected.end(), read->faults.begin(), read->faults.end());
        for (FoundRecord& record : read->records) {
            const auto [place, is_new] =
                places.emplace(study::identity(record.record.planned.trial), found.trials.size());
            if (is_new) found.trials.emplace_back();
            consider(found, place->second, std::move(record));
        }
    }
    return found;
}

void take_study(const Path& file, SoFar& so_far) {
    auto study = read_archive(file);
    if (!study) {
        if (is_there(file))
            so_far.rejected.insert(so_far.rejected.end(), study.error().begin(), study.error().end());
        return;
    }
    so_far.knows_study = true;
    read_facts(study->build, so_far);
    so_far.archive = std::move(*study);
    so_far.archive.trials.clear();
}

/// In the order of the grid; trials that two forms of a study gave one index stand by their identities.
void take_trials(Found found, SoFar& so_far) {
    std::vector<std::tuple<std::int64_t, std::string, std::size_t>> order;
    for (std::size_t i = 0; i < found.trials.size(); ++i)
        order.emplace_back(found.trials[i]->record.index,
                           study::identity(found.trials[i]->record.planned.trial), i);
    std::sort(order.begin(), order.end());
    for (const auto& [index, identity, i] : order)
        so_far.archive.trials.push_back(std::move(found.trials[i]->record));
    so_far.archive.digest = archive_digest(so_far.archive.trials);
}

}  // namespace

bool write_study_file(const Path& archive, const study::Study& study, const Writer& writer) {
    Archive content = archive_without_trials(study);
    content.build.push_back({std::string(planned_fact), std::to_string(study.grid.trials.size())});
    std::map<double, std::size_t> budgets;
    for (const study::PlannedTrial& planned : study.grid.trials)
        if (planned.budget > 0) ++budgets[planned.budget];
    for (const auto& [budget, trials] : budgets)
        content.build.push_back({std::string(budget_fact), budget_text(budget, trials)});
    return write_archive(RunFolder(archive).study, content, writer);
}

base::Result<std::optional<SoFar>> read_so_far(const Path& archive) {
    const RunFolder folder(archive);
    std::error_code absent;
    if (is_there(archive) || !std::filesystem::is_directory(folder.root, absent)) return std::nullopt;
    SoFar so_far;
    auto found = look(archive);
    take_study(folder.study, so_far);
    // The sweep ended meanwhile, and what was not read yet may be gone: all of it is in the archive.
    if (is_there(archive)) return std::nullopt;
    if (!found) return tl::unexpected(found.error());
    so_far.rejected.insert(so_far.rejected.begin(), found->rejected.begin(), found->rejected.end());
    take_trials(std::move(*found), so_far);
    return so_far;
}

std::size_t results_not_in(const Archive& content, const Path& archive) {
    const auto found = look(archive);
    if (!found || found->trials.empty()) return 0;
    std::set<std::string> merged;
    for (const TrialRecord& record : content.trials)
        if (is_finished(record.result.outcome)) merged.insert(study::identity(record.planned.trial));
    return static_cast<std::size_t>(
        std::count_if(found->trials.begin(), found->trials.end(), [&](const auto& trial) {
            return is_finished(trial->record.result.outcome) &&
                   !merged.contains(study::identity(trial->record.planned.trial));
        }));
}

}  // namespace isogrid::archive
