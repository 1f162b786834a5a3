#include "archive/trial_file.hpp"

#include <array>

#include "archive/record_tables.hpp"
#include "archive/schema.hpp"
#include "archive/texts.hpp"

namespace isogrid::archive {

std::string trial_file_stem(const study::PlannedTrial& planned) {
    constexpr std::size_t identity_digits = 12;
    std::string stem = planned.name;
    for (char& letter : stem)
        if (letter == '/' || letter == '\0') letter = '_';
    return stem.append("-").append(study::identity(planned.trial), 0, identity_digits);
}

std::string trial_file_name(const TrialRecord& record) {
    std::string file_name = trial_file_stem(record.planned);
    if (!is_finished(record.result.outcome)) file_name.append(".").append(name(record.result.outcome));
    return file_name + ".h5";
}

std::optional<std::filesystem::path> write_trial_file(const std::filesystem::path& folder,
                                                      const TrialRecord& record, const Writer& writer) {
    FileImage image;
    write_attribute(image.file(), "schema", trial_schema);
    const std::array<PreparedRecord, 1> records = {prepare(record)};
    const WeightsPlace weights = write_records(image.file(), records);
    const std::filesystem::path path = folder / trial_file_name(record);
    if (!write_image(path, image, weights, records, {}, writer)) return std::nullopt;
    return path;
}

base::Result<TrialRecord> read_trial_file(const std::filesystem::path& path, WeightsUse weights) {
    const auto file = open_checked(path, trial_schema);
    if (!file) return tl::unexpected(file.error());
    try {
        CheckedRecords checked = read_records(*file, path.string(), weights);
        if (base::Faults faults = all_faults(checked); !faults.empty())
            return tl::unexpected(std::move(faults));
        if (checked.records.size() != 1) throw Hdf5Error("cannot use the tables (one trial expected)");
        return std::move(checked.records[0].record);
    } catch (const Hdf5Error& error) {
        return damaged(path, error);
    }
}

}  // namespace isogrid::archive
