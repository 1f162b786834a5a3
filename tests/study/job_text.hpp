// Job files for tests: edits to the text of one, and the world it is read in.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "study/study.hpp"

namespace isogrid::study::testing {

/// The job file that docs/job-file.md opens with: nothing but what is required.
std::string smallest_job();

/// `job` with the lines of `changes` in place of those with the same key in the same table. New keys go to
/// the end of their table, new tables to the end of the file, keys before any table to its start. A line
/// `# key = ...` puts a key out of use.
std::string edited(const std::string& job, const std::string& changes);

/// Knows two token files of bytes: `jobs/english.tok` with 31,000,000 tokens to train on and 320,000 to
/// validate, and `jobs/short.tok` with 1,000 and 100.
base::Result<CorpusFacts> read_tokens(const std::filesystem::path& token_file);

/// Stands in for the graph: as many operations as the closed form with attention has.
double closed_form_flops(const Shape& shape);

/// Reads `text` as the file jobs/x.toml.
base::Result<Study> parsed(const std::string& text);

/// The faults of `text` as people see them, one string each.
std::vector<std::string> faults_of(const std::string& text);

}  // namespace isogrid::study::testing
