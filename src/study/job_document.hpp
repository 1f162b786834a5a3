// The TOML of a job file, read key by key; whatever is not as asked becomes a fault.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/names.hpp"
#include "study/job_faults.hpp"

namespace isogrid::study {

/// Allowed values, both ends included.
struct Range {
    double low = 0, high = 0;
};

/// Keys are `table.key`. A read leaves the default in `value` where the key is absent or at fault. The keys
/// asked for are the keys that exist: finish() reports all others.
class JobDocument {
  public:
    /// A syntax error becomes a fault, and the document is then empty.
    JobDocument(const std::string& text, JobFaults& faults);
    ~JobDocument();

    bool parsed() const { return parsed_; }

    /// Whether the file has this table.
    bool has(const std::string& table) const;

    /// `key` must be given; `why` and `example` (a line of TOML) go into the fault if it is not.
    void require(const std::string& key, std::string why, std::string example);

    void read(const std::string& key, bool& value);
    void read(const std::string& key, std::string& value);
    void read(const std::string& key, std::int64_t& value, Range range);
    void read(const std::string& key, double& value, Range range);
    void read(const std::string& key, std::vector<std::int64_t>& values, Range range);
    void read(const std::string& key, std::vector<double>& values, Range range);

    /// A list of lists of two, which may be empty.
    void read(const std::string& key, std::vector<std::array<std::int64_t, 2>>& values, Range first,
              Range second);

    /// One of the names of an enumeration.
    template <class Value, std::size_t count>
    void read_choice(const std::string& key, Value& value, const std::array<Value, count>& choices) {
        std::vector<std::string> names;
        for (const Value choice : choices)
            names.emplace_back(name(choice));
        value = *base::value_named(read_word(key, std::string(name(value)), names), choices);
    }

    /// A list of such names, none twice.
    template <class Value, std::size_t count>
    void read_choices(const std::string& key, std::vector<Value>& values,
                      const std::array<Value, count>& choices) {
        std::vector<std::string> names;
        for (const Value choice : choices)
            names.emplace_back(name(choice));
        std::vector<Value> read;
        for (const std::string& word : read_words(key, names))
            read.push_back(*base::value_named(word, choices));
        if (!read.empty()) values = std::move(read);
    }

    /// Reports required keys that are missing, and unknown tables and keys with what they may stand for.
    void finish();

  private:
    struct Source;

    std::string read_word(const std::string& key, std::string value, const std::vector<std::string>& words);
    /// The words of a list, those that are known; none where the key is absent or at fault.
    std::vector<std::string> read_words(const std::string& key, const std::vector<std::string>& words);
    void report_unknown_word(const std::string& key, const std::string& word,
                             const std::vector<std::string>& words);
    template <class Value>
    void read_list(const std::string& key, std::vector<Value>& values, Range range);
    std::string example_of(const std::string& key, const std::string& value) const;
    void report_unknown();
    void report_missing();

    struct Required {
        std::string why, example;
    };

    JobFaults& faults_;
    std::unique_ptr<Source> source_;
    bool parsed_ = false;
    std::map<std::string, Required> required_;  // by key
};

}  // namespace isogrid::study
