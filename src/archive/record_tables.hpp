// Trial records as HDF5 tables: what trial files and the archive have in common (docs/archive.md has the
// schema).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "archive/archive.hpp"
#include "archive/hdf5_handles.hpp"
#include "archive/record.hpp"
#include "study/fault.hpp"

namespace isogrid::archive {

/// What a reader does with weights: nothing; read them and compare their digest; hand them out as well.
enum class WeightsUse { skip, check, keep };

/// Writes /trials, /specifications, /curves, /weights and /provenance/trials. A record that holds weights
/// stores them; for one that holds none but whose `stored_weights` is not 0, `read_weights` is asked. Throws
/// std::invalid_argument when weights do not belong to their digest.
void write_records(hid_t file, std::span<const TrialRecord* const> records, const ReadWeights& read_weights);

/// One record as found, and all that speaks against it.
struct CheckedRecord {
    TrialRecord record;
    std::string id, digest;  ///< as stored
    study::Faults faults;    ///< none: the record is what was written
};

struct CheckedRecords {
    std::vector<CheckedRecord> records;
    study::Faults faults;  ///< of the file as a whole
};

/// Reads what write_records wrote and checks every row: its digest, every column against what follows from
/// the specification, and that the parts of curves and weights follow one another without gaps. `where`
/// begins each fault. Throws Hdf5Error when a table cannot be read at all.
CheckedRecords read_records(hid_t file, const std::string& where, WeightsUse weights);

/// The weights of the trial with this identity alone, checked.
study::Result<std::vector<float>> read_weights(hid_t file, const std::string& where, std::string_view id);

/// Those of the file and of every record.
study::Faults all_faults(const CheckedRecords& checked);

}  // namespace isogrid::archive
