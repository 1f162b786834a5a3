// The weights in a file of records: a part of one dataset a trial, each with its digest.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "archive/hdf5_handles.hpp"
#include "archive/record_rows.hpp"
#include "base/fault.hpp"
#include "study/trial.hpp"

namespace isogrid::archive {

/// SHA-256 of their bytes, as TrialResult::weights_digest has it.
std::string weights_digest(const std::vector<float>& weights);

/// True when `part` lies in a dataset of `extent` numbers.
bool inside(Part part, std::size_t extent);

/// The numbers of one part of an open dataset, which lies in it. Throws Hdf5Error.
std::vector<float> read_part(const Handle& dataset, Part part);

/// Gives the weights of single trials of one file, which stays open.
class StoredWeights {
  public:
    /// `file` is a file that read_records can read. Throws Hdf5Error.
    StoredWeights(Handle file, std::string where);

    /// The weights of the trial with this identity, checked against their digest; a fault when there are
    /// none.
    base::Result<std::vector<float>> read(std::string_view id) const;

  private:
    struct Entry {
        std::string name, outcome, digest;
        Part part;
    };

    Handle file_;
    std::string where_;
    std::map<std::string, Entry, std::less<>> entries_;  ///< by identity
    Handle dataset_;
};

/// The weights of an archive, a segment or a trial file.
base::Result<StoredWeights> open_weights(const std::filesystem::path& path);

/// Weights of trials from many files. What was opened stays open, some files at a time.
class WeightsOfFiles {
  public:
    /// Throws std::runtime_error with what is wrong with the file, or with the weights in it.
    std::vector<float> read(const std::filesystem::path& file, const study::Trial& trial);

  private:
    std::map<std::filesystem::path, StoredWeights> open_;
};

}  // namespace isogrid::archive
