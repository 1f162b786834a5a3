#include "archive/segment.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "archive/file_image.hpp"
#include "archive/record_rows.hpp"
#include "archive/record_tables.hpp"
#include "archive/run_folder.hpp"
#include "archive/schema.hpp"
#include "archive/stored_weights.hpp"
#include "archive/texts.hpp"
#include "archive/trial_file.hpp"
#include "base/digest.hpp"
#include "files/durable.hpp"

namespace isogrid::archive {

std::optional<std::filesystem::path> write_segment(const std::filesystem::path& folder,
                                                   const std::vector<TrialRecord>& records,
                                                   const ReadWeights& read_weights, const Writer& writer) {
    std::vector<PreparedRecord> prepared;
    base::Sha256 together;
    for (const TrialRecord& record : records)
        together.update(prepared.emplace_back(prepare(record)).digest);
    constexpr std::size_t digits = 16;
    const std::filesystem::path path = folder / ("segment-" + together.finish().substr(0, digits) + ".h5");

    FileImage image;
    write_attribute(image.file(), "schema", segment_schema);
    const WeightsPlace weights = write_records(image.file(), prepared);
    if (!write_image(path, image, weights, prepared, read_weights, writer)) return std::nullopt;
    return path;
}

SegmentContent read_segment(const std::filesystem::path& path, WeightsUse weights) {
    SegmentContent content;
    const auto file = open_checked(path, segment_schema);
    if (!file) {
        content.faults = file.error();
        return content;
    }
    try {
        CheckedRecords checked = read_records(*file, path.string(), weights);
        content.faults = all_faults(checked);
        for (CheckedRecord& record : checked.records)
            if (record.faults.empty()) content.records.push_back(std::move(record.record));
    } catch (const Hdf5Error& error) {
        content.faults = damaged(path, error).value();
    }
    return content;
}

std::size_t pack_trial_files(const std::filesystem::path& archive, const Writer& writer, std::size_t least) {
    const RunFolder folder(archive);
    std::vector<TrialRecord> records;
    std::map<std::string, std::filesystem::path> files;  // by identity
    const auto listed = finished_files(folder.trials);
    if (!listed) throw std::runtime_error(base::to_string(listed.error()));
    for (const std::filesystem::path& file : *listed) {
        if (std::filesystem::file_size(file) > largest_packed) continue;
        auto record = read_trial_file(file, WeightsUse::check);
        if (!record || !is_finished(record->result.outcome)) continue;
        if (files.emplace(study::identity(record->planned.trial), file).second)
            records.push_back(std::move(*record));
    }
    if (records.size() < std::max<std::size_t>(1, least)) return 0;

    files::make_folders(folder.segments);
    WeightsOfFiles weights;
    const auto segment = write_segment(
        folder.segments, records,
        [&](const TrialRecord& record) {
            const study::Trial& trial = record.planned.trial;
            return weights.read(files.at(study::identity(trial)), trial);
        },
        writer);
    if (!segment) return 0;

    std::size_t packed = 0;
    for (const TrialRecord& record : read_segment(*segment).records) {
        if (writer.still_holder && !writer.still_holder()) break;
        std::filesystem::remove(files.at(study::identity(record.planned.trial)));
        ++packed;
    }
    return packed;
}

}  // namespace isogrid::archive
