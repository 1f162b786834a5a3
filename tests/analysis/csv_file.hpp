// CSV files of a test, and what reading them says.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// A CSV file that is gone when the test ends.
class CsvFile {
  public:
    explicit CsvFile(const std::string& text)
        : path_(std::filesystem::temp_directory_path() /
                ("isogrid-" + std::to_string(getpid()) + "-" + std::to_string(++made) + ".csv")) {
        std::ofstream(path_, std::ios::binary) << text;
    }
    ~CsvFile() { std::filesystem::remove(path_); }
    CsvFile(const CsvFile&) = delete;
    CsvFile& operator=(const CsvFile&) = delete;

    CsvRequest request(const std::string& columns) const {
        return {path_, parse_columns(columns).value(), {}, 0};
    }
    /// With --skip-bad-rows.
    CsvRequest skipping(const std::string& columns) const {
        return {path_, parse_columns(columns).value(), {}, 0, true};
    }
    std::string name() const { return path_.string(); }

  private:
    static inline int made = 0;
    std::filesystem::path path_;
};

inline std::string faults_of(const CsvRequest& request) {
    const auto runs = read_csv(request);
    return runs ? "" : base::to_string(runs.error());
}

}  // namespace isogrid::analysis
