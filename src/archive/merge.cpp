#include "archive/merge.hpp"

#include <algorithm>
#include <utility>

#include "archive/find_trials.hpp"
#include "archive/stored_weights.hpp"

namespace isogrid::archive {

namespace {

using Path = std::filesystem::path;

/// True when the file at `path` holds this study and exactly these results.
bool says_the_same(const Path& path, const Archive& merged) {
    if (!std::filesystem::exists(path)) return false;
    const auto there = read_archive(path);
    return there && there->study_name == merged.study_name && there->job_text == merged.job_text &&
           there->digest == archive_digest(merged.trials);
}

}  // namespace

base::Result<Merged> merge(const Path& archive, const study::Study& study, const Writer& writer,
                           const Facts& libraries, std::size_t least) {
    auto found = find_trials(archive, study.grid);
    if (!found) return tl::unexpected(found.error());

    Archive merged = archive_without_trials(study);
    merged.build.insert(merged.build.end(), libraries.begin(), libraries.end());
    for (const auto& trial : found->trials)
        if (trial) merged.trials.push_back(trial->record);

    Merged report{.rejected = std::move(found->rejected)};
    report.rejected.insert(report.rejected.end(), found->foreign.begin(), found->foreign.end());
    report.missing = least - std::min(least, merged.trials.size());
    if (report.missing > 0) return report;
    report.in_place = says_the_same(archive, merged);
    if (report.in_place) return report;
    WeightsOfFiles weights;
    report.in_place = write_archive(archive, merged, writer, [&](const TrialRecord& record) {
        return weights.read(found->trials[static_cast<std::size_t>(record.index)]->file,
                            record.planned.trial);
    });
    return report;
}

}  // namespace isogrid::archive
