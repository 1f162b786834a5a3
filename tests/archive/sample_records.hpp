// Small records with a value of its own in every field, and a folder to put their files in.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "archive/record.hpp"

namespace isogrid::archive::sample {

/// A completed record: shape, curve, losses and (with `weights` above 0) weights differ from index to index.
/// Budgets and sizes rise with the index. The curve's first training loss is NaN, as at step 0.
TrialRecord record(std::int64_t index, std::size_t weights = 5);

/// The same trial with another end.
TrialRecord ended(TrialRecord record, Outcome outcome, const std::string& cause);

/// Fields whose values are equal (NaN to NaN), weights and provenance included.
void expect_equal(const TrialRecord& found, const TrialRecord& expected);

/// A new empty folder, removed with everything in it at the end of the test.
class Folder {
  public:
    Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder();

    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

std::string bytes_of(const std::filesystem::path& path);
void put_bytes(const std::filesystem::path& path, const std::string& bytes);
/// Damages the first trial's name in a segment that holds it; the segment's bytes since.
std::string damage_a_name(const std::filesystem::path& segment);

/// Names of what lies in a folder, sorted.
std::vector<std::string> names_in(const std::filesystem::path& folder);

}  // namespace isogrid::archive::sample
