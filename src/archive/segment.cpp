#include "archive/segment.hpp"

#include <utility>

#include "archive/file_image.hpp"
#include "archive/record_rows.hpp"
#include "archive/record_tables.hpp"
#include "archive/schema.hpp"
#include "archive/texts.hpp"
#include "study/digest.hpp"

namespace isogrid::archive {

std::optional<std::filesystem::path> write_segment(const std::filesystem::path& folder,
                                                   const std::vector<TrialRecord>& records,
                                                   const ReadWeights& read_weights, const Writer& writer) {
    std::vector<PreparedRecord> prepared;
    study::Sha256 together;
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

SegmentContent read_segment(const std::filesystem::path& path) {
    SegmentContent content;
    const auto file = open_checked(path, segment_schema);
    if (!file) {
        content.faults = file.error();
        return content;
    }
    try {
        CheckedRecords checked = read_records(*file, path.string(), WeightsUse::check);
        content.faults = all_faults(checked);
        for (CheckedRecord& record : checked.records)
            if (record.faults.empty()) content.records.push_back(std::move(record.record));
    } catch (const Hdf5Error& error) {
        content.faults = damaged(path, error).value();
    }
    return content;
}

}  // namespace isogrid::archive
