// The faults of one job file, found in any order and told in the order of its lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/fault.hpp"

namespace isogrid::study {

/// The key of an element of a list: `key[2]` for index 1.
std::string element(const std::string& key, std::size_t index);

/// Knows the line of every key, and which keys can be relied on. Keys are written as messages show them:
/// `recipe.batch`, `isoflop.budgets[2]` (elements from 1), `recipe` for the table itself, "" for the file.
class JobFaults {
  public:
    explicit JobFaults(const std::filesystem::path& job_file) : file_(job_file.string()) {}

    /// Says that `key` stands in this line (from 1).
    void place(const std::string& key, std::int64_t line);

    /// The rest of a file with more faults is only counted: nothing of it is sound then.
    static constexpr std::size_t most_told = 100;

    /// Adds a fault of `key`, at its line or else at the line of the table that should hold it.
    void add(const std::string& key, std::string problem, std::string why, std::string action);

    /// From now on budgets and token counts are this many times what the file says, and faults say so.
    void scaled_by(double factor) { scale_ = factor; }

    /// Marks `key` as unreliable without a message: another fault already says why.
    void distrust(const std::string& key) { unsound_.insert(key); }

    /// Whether none of these keys, nor anything above or below them, has a fault.
    bool sound(std::initializer_list<std::string_view> keys) const;

    bool empty() const { return found_.empty(); }

    /// All that are told by line; those of one line, or of none, in the order they were found.
    base::Faults in_order() const;

  private:
    struct Found {
        std::int64_t line = 0;
        base::Fault fault;
    };

    std::int64_t line_of(std::string key) const;

    std::string file_;
    std::map<std::string, std::int64_t> lines_;
    std::set<std::string> unsound_;
    std::vector<Found> found_;
    std::size_t left_out_ = 0;
    double scale_ = 1;
};

}  // namespace isogrid::study
