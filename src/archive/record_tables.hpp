// Trial records as HDF5 tables: what trial files and the archive have in common (docs/archive.md has the
// schema).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "archive/archive.hpp"
#include "archive/durable_file.hpp"
#include "archive/file_image.hpp"
#include "archive/hdf5_handles.hpp"
#include "archive/record.hpp"
#include "archive/record_rows.hpp"
#include "archive/weights_use.hpp"
#include "base/fault.hpp"

namespace isogrid::archive {

/// What a reader checks: every record, or only the seals of the tables, where all of them are sealed. A seal
/// is set by a writer that made the rows from records; what it covers has not changed since.
enum class Checks { records, seals };

/// Where the weights stand in a file, in bytes.
struct WeightsPlace {
    std::size_t offset = 0, size = 0;
};

/// Writes /trials, /specifications, /curves, /provenance/trials, and /weights without its numbers: they are
/// left out of the image, and put in when it goes to disk (write_image).
WeightsPlace write_records(hid_t file, std::span<const PreparedRecord> records);

/// Writes a finished image durably (write_durably says how, and what it throws), the weights of one record
/// after the other in their place: a record's own, or, for one that holds none but whose `stored_weights` is
/// not 0, those that `read_weights` gives. Memory holds the weights of one trial. Throws
/// std::invalid_argument when weights do not belong to their digest. False when the lease is lost.
bool write_image(const std::filesystem::path& path, FileImage& image, WeightsPlace place,
                 std::span<const PreparedRecord> records, const ReadWeights& read_weights,
                 const Writer& writer);

/// One record as found, and all that speaks against it.
struct CheckedRecord {
    TrialRecord record;
    std::string id, digest;  ///< as stored
    base::Faults faults;     ///< none: the record is what was written
};

struct CheckedRecords {
    std::vector<CheckedRecord> records;
    base::Faults faults;  ///< of the file as a whole
};

/// Reads what write_records wrote and checks every row: its digest, every column against what follows from
/// the specification, and that the parts of curves and weights follow one another without gaps. `where`
/// begins each fault. Throws Hdf5Error when a table cannot be read at all.
CheckedRecords read_records(hid_t file, const std::string& where, WeightsUse weights,
                            Checks checks = Checks::records);

/// The faults of the file and of every record.
base::Faults all_faults(const CheckedRecords& checked);

}  // namespace isogrid::archive
