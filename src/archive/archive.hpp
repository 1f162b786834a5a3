// One study's results in one HDF5 file (docs/archive.md has the schema): a pure function of its records.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/durable_file.hpp"
#include "archive/provenance.hpp"
#include "archive/record.hpp"
#include "archive/weights_use.hpp"
#include "base/fault.hpp"
#include "study/study.hpp"

namespace isogrid::archive {

struct Archive {
    std::string study_name;
    std::string job_text;                                                    ///< the job file as read
    study::CorpusFacts corpus;                                               ///< what the trials trained on
    study::FlopConvention budget_convention = study::FlopConvention::exact;  ///< in which budgets are counted
    std::vector<TrialRecord> trials;                                         ///< by index, rising
    Facts build;           ///< of the program that wrote the file: build_facts()
    std::string digest{};  ///< set by readers: archive_digest(trials)
};

/// All that an archive of this study says but its trials; `build` is build_facts().
Archive archive_without_trials(const study::Study& study);

/// Whether threads may read and write files at the same time: HDF5 can be built either way.
bool allows_threads();

/// SHA-256 over the trials' digests, one after the other as 64 hexadecimal digits, in the archive's order.
std::string archive_digest(const std::vector<TrialRecord>& trials);

/// Gives the weights of a record that was read without them; asked once for each record whose stored_weights
/// is not 0 and whose weights are empty.
using ReadWeights = std::function<std::vector<float>(const TrialRecord& record)>;

/// Writes the archive durably (write_durably says how, and what it throws), its trials sorted by index,
/// budget, parameters, identity: the same records in any order give the same bytes, /provenance apart. False
/// when the writer no longer holds the lease. The tables are in memory first, of the weights those of one
/// trial. Throws std::invalid_argument when a trial is there twice or weights do not belong to their digest.
bool write_archive(const std::filesystem::path& path, const Archive& archive, const Writer& writer,
                   const ReadWeights& read_weights = {});

/// Reads everything and checks it: the schema, the digest over every table, the digest of the digests. A file
/// from a version without digests of tables is checked record by record, as verify_archive does. The faults
/// name what is wrong; nothing damaged is handed out. Weights that are skipped stay unread, unchecked
/// (verify_archive checks them).
base::Result<Archive> read_archive(const std::filesystem::path& path, WeightsUse weights = WeightsUse::skip);

/// What a list of an archive's trials shows.
struct Listing {
    struct Trial {
        std::string name;
        Outcome outcome = Outcome::failed;
        std::string cause;
    };

    std::string study_name, digest;
    std::vector<Trial> trials;
};

/// Reads what a list needs and nothing else, checked as read_archive checks it: the digest over /trials, and
/// the digest of the digests in it.
base::Result<Listing> list_archive(const std::filesystem::path& path);

/// The place in `trials` of the one that `which` means: its index, its name, or at least 4 digits of its
/// identity.
base::Result<std::size_t> find_trial(const std::vector<TrialRecord>& trials, std::string_view which);

/// The weights of the trial with this identity, checked against their digest. A fault when there are none.
base::Result<std::vector<float>> read_weights_of(const std::filesystem::path& path, std::string_view id);

}  // namespace isogrid::archive
