// TOML values with their lines, types and ranges checked.
#include "study/job_document.hpp"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <utility>

#include <toml++/toml.h>

#include "base/wording.hpp"
#include "study/elsewhere.hpp"

namespace isogrid::study {

namespace {

std::pair<std::string, std::string> split(const std::string& key) {
    const std::size_t dot = key.find('.');
    return {key.substr(0, dot), key.substr(dot + 1)};
}

std::string in_quotes(const std::string& text) {
    return "\"" + text + "\"";
}

/// What a value is, for `is ...`.
std::string described(const toml::node& node) {
    if (const auto* text = node.as_string()) return "the text " + in_quotes(text->get());
    if (const auto* whole = node.as_integer()) return "the whole number " + std::to_string(whole->get());
    if (const auto* decimal = node.as_floating_point())
        return "the decimal number " + base::as_written(decimal->get());
    if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
    if (node.is_array()) return "a list";
    if (node.is_table()) return "a table";
    return "a date or time";
}

std::string toml_text(std::int64_t value) {
    return std::to_string(value);
}
std::string toml_text(double value) {
    return base::as_written(value);
}

/// The number in `node`, if it is one of the kind of Value: decimal keys take whole numbers as well.
template <class Value>
std::optional<Value> number_in(const toml::node& node) {
    if (const auto* whole = node.as_integer()) return static_cast<Value>(whole->get());
    if constexpr (std::is_floating_point_v<Value>) {
        if (const auto* decimal = node.as_floating_point()) return decimal->get();
    }
    return std::nullopt;
}

/// Reads one number in `range` or adds a fault of `key`; `example` is a line of TOML that would do.
template <class Value>
void read_number(const toml::node& node, const std::string& key, Value& value, Range range,
                 const std::string& example, JobFaults& faults) {
    const std::optional<Value> number = number_in<Value>(node);
    if (!number) {
        const char* kind = std::is_floating_point_v<Value> ? "a number" : "a whole number";
        faults.add(key, "is " + described(node), std::string(kind) + " is expected",
                   "write for example `" + example + "`");
        return;
    }
    const auto comparable = static_cast<double>(*number);
    if (!(comparable >= range.low && comparable <= range.high)) {  // in this form a NaN is out of range
        faults.add(key, "is " + toml_text(*number),
                   "the range is " + base::as_written(range.low) + " to " + base::as_written(range.high),
                   "choose a value in the range");
        return;
    }
    value = *number;
}

void place_all(const toml::node& node, const std::string& key, JobFaults& faults) {
    if (const auto* table = node.as_table()) {
        for (auto&& [inner, value] : *table) {
            const std::string full = (key.empty() ? "" : key + ".") + std::string(inner.str());
            faults.place(full, inner.source().begin.line);
            place_all(value, full, faults);
        }
    } else if (const auto* list = node.as_array()) {
        for (std::size_t i = 0; i < list->size(); ++i) {
            faults.place(element(key, i), (*list)[i].source().begin.line);
        }
    }
}

}  // namespace

struct JobDocument::Source {
    toml::table root;
    std::map<std::string, std::vector<std::string>> known;  // the keys asked for, by table

    const toml::node* look_up(const std::string& key) {
        const auto [table, name] = split(key);
        known[table].push_back(name);
        const toml::table* inside = root[table].as_table();
        return inside != nullptr ? inside->get(name) : nullptr;
    }
};

JobDocument::JobDocument(const std::string& text, JobFaults& faults)
    : faults_(faults), source_(std::make_unique<Source>()) {
    try {
        source_->root = toml::parse(text);
        place_all(source_->root, "", faults_);
        parsed_ = true;
    } catch (const toml::parse_error& error) {
        faults_.place("", error.source().begin.line);
        faults_.add("", "is not TOML", std::string(error.description()),
                    "correct this line; other faults can be found only then");
    }
}

JobDocument::~JobDocument() = default;

bool JobDocument::has(const std::string& table) const {
    return source_->root.contains(table);
}

void JobDocument::require(const std::string& key, std::string why, std::string example) {
    required_[key] = {std::move(why), std::move(example)};
}

std::string JobDocument::example_of(const std::string& key, const std::string& value) const {
    const auto found = required_.find(key);
    return found != required_.end() ? found->second.example : split(key).second + " = " + value;
}

void JobDocument::read(const std::string& key, bool& value) {
    const toml::node* node = source_->look_up(key);
    if (node == nullptr) return;
    if (const auto* truth = node->as_boolean()) {
        value = truth->get();
    } else {
        faults_.add(key, "is " + described(*node), "true or false is expected",
                    "write for example `" + example_of(key, value ? "true" : "false") + "`");
    }
}

void JobDocument::read(const std::string& key, std::string& value) {
    const toml::node* node = source_->look_up(key);
    if (node == nullptr) return;
    if (const auto* text = node->as_string()) {
        value = text->get();
    } else {
        faults_.add(key, "is " + described(*node), "text in quotes is expected",
                    "write for example `" + example_of(key, in_quotes(value)) + "`");
    }
}

std::string JobDocument::read_word(const std::string& key, std::string value,
                                   const std::vector<std::string>& words) {
    std::string word = value;
    read(key, word);
    if (std::find(words.begin(), words.end(), word) != words.end()) return word;
    report_unknown_word(key, word, words);
    return value;
}

void JobDocument::report_unknown_word(const std::string& key, const std::string& word,
                                      const std::vector<std::string>& words) {
    const auto guess = base::nearest(word, words);
    faults_.add(key, "is the unknown word " + in_quotes(word), "known: " + base::listed(words),
                guess ? "write " + in_quotes(*guess) : "choose one of them");
}

std::vector<std::string> JobDocument::read_words(const std::string& key,
                                                 const std::vector<std::string>& words) {
    const toml::node* node = source_->look_up(key);
    std::vector<std::string> read;
    if (node == nullptr) return read;
    const toml::array* list = node->as_array();
    if (list == nullptr || list->empty()) {
        faults_.add(key, list == nullptr ? "is " + described(*node) : "is an empty list",
                    "a list of words is expected",
                    "write for example `" + example_of(key, "[" + in_quotes(words.front()) + "]") + "`");
        return read;
    }
    for (std::size_t i = 0; i < list->size(); ++i) {
        const std::string place = element(key, i);
        const auto* text = (*list)[i].as_string();
        if (text == nullptr) {
            faults_.add(place, "is " + described((*list)[i]), "text in quotes is expected",
                        "write for example " + in_quotes(words.front()));
        } else if (std::find(words.begin(), words.end(), text->get()) == words.end()) {
            report_unknown_word(place, text->get(), words);
        } else if (std::find(read.begin(), read.end(), text->get()) != read.end()) {
            faults_.add(place, in_quotes(text->get()) + " is there twice", "each is one choice",
                        "remove one of them");
        } else {
            read.push_back(text->get());
        }
    }
    return read;
}

void JobDocument::read(const std::string& key, std::int64_t& value, Range range) {
    if (const toml::node* node = source_->look_up(key))
        read_number(*node, key, value, range, example_of(key, toml_text(value)), faults_);
}

void JobDocument::read(const std::string& key, double& value, Range range) {
    if (const toml::node* node = source_->look_up(key))
        read_number(*node, key, value, range, example_of(key, toml_text(value)), faults_);
}

template <class Value>
void JobDocument::read_list(const std::string& key, std::vector<Value>& values, Range range) {
    const toml::node* node = source_->look_up(key);
    if (node == nullptr) return;
    const std::string example = example_of(key, "[]");
    const toml::array* list = node->as_array();
    if (list == nullptr) {
        faults_.add(key, "is " + described(*node), "a list of numbers is expected",
                    "write for example `" + example + "`");
        return;
    }
    if (list->empty()) {
        faults_.add(key, "is an empty list", "at least one number is expected",
                    "write for example `" + example + "`");
        return;
    }
    values.assign(list->size(), Value{});  // one at fault keeps its place, so that positions agree
    for (std::size_t i = 0; i < list->size(); ++i) {
        read_number((*list)[i], element(key, i), values[i], range, example, faults_);
    }
}

void JobDocument::read(const std::string& key, std::vector<std::int64_t>& values, Range range) {
    read_list(key, values, range);
}

void JobDocument::read(const std::string& key, std::vector<double>& values, Range range) {
    read_list(key, values, range);
}

void JobDocument::read(const std::string& key, std::vector<std::array<std::int64_t, 2>>& values, Range first,
                       Range second) {
    const toml::node* node = source_->look_up(key);
    if (node == nullptr) return;
    const std::string example = example_of(key, "[[1_000_000, 8], [4_000_000, 16]]");
    const toml::array* list = node->as_array();
    const auto is_pair = [](const toml::node& inner) {
        return inner.is_array() && inner.as_array()->size() == 2;
    };
    if (list == nullptr || !std::all_of(list->begin(), list->end(), is_pair)) {
        faults_.add(key, "is no list of pairs", "lists of two whole numbers are expected in a list",
                    "write for example `" + example + "`");
        return;
    }
    values.assign(list->size(), {});
    for (std::size_t i = 0; i < list->size(); ++i) {
        const toml::array& pair = *(*list)[i].as_array();
        const std::string place = element(key, i);
        read_number(pair[0], place, values[i][0], first, example, faults_);
        read_number(pair[1], place, values[i][1], second, example, faults_);
    }
}

void JobDocument::finish() {
    report_unknown();
    report_missing();
}

void JobDocument::report_unknown() {
    std::vector<std::string> tables;
    std::map<std::string, std::string> home;  // of every key: a table that has it
    for (const auto& [table, keys] : source_->known) {
        tables.push_back(table);
        for (const std::string& key : keys)
            home.emplace(key, table);
    }

    const auto report = [&](const std::string& full, const std::string& key, const std::string& kind,
                            const std::vector<std::string>& siblings, const std::string& prefix) {
        const bool is_table = kind == "table";
        const std::string* meant = is_table ? table_elsewhere_called(key) : key_elsewhere_called(key);
        if (meant != nullptr && !home.contains(key)) {
            faults_.add(
                full, "unknown " + kind,
                is_table ? "its keys stand in [" + *meant + "] here" : "it is called " + *meant + " here",
                is_table ? "move them there"
                         : "write " + split(*meant).second + " in [" + split(*meant).first + "]");
            faults_.distrust(*meant);
        } else if (auto answer = is_table ? std::nullopt : nothing_of_the_kind(key)) {
            faults_.add(full, "unknown " + kind, std::move(answer->why), std::move(answer->what_to_do));
        } else if (const auto guess = base::nearest(key, siblings)) {
            faults_.add(full, "unknown " + kind, "the nearest known one is " + *guess,
                        "correct or remove it");
            faults_.distrust(prefix + *guess);
        } else if (const auto found = home.find(key); found != home.end()) {
            faults_.add(full, "unknown " + kind, "there is one of this name in [" + found->second + "]",
                        "move it there");
            faults_.distrust(found->second + "." + key);
        } else {
            faults_.add(full, "unknown " + kind, "known here: " + base::listed(siblings), "remove it");
        }
    };

    for (auto&& [name, value] : source_->root) {
        const std::string table(name.str());
        const auto known = source_->known.find(table);
        if (known == source_->known.end()) {
            report(table, table, value.is_table() ? "table" : "key outside of a table", tables, "");
        } else if (const toml::table* inside = value.as_table()) {
            for (auto&& [key, ignored] : *inside) {
                const std::string inner(key.str());
                const auto& siblings = known->second;
                if (std::find(siblings.begin(), siblings.end(), inner) == siblings.end())
                    report(table + "." + inner, inner, "key", siblings, table + ".");
            }
        } else {
            faults_.add(table, "is " + described(value), "a table is expected",
                        "write the line `[" + table + "]` and its keys below");
        }
    }
}

void JobDocument::report_missing() {
    for (const auto& [key, required] : required_) {
        const auto [table, name] = split(key);
        const toml::node* holder = source_->root.get(table);
        const bool given = holder != nullptr && holder->is_table() && holder->as_table()->contains(name);
        // A table or key that is only misspelt is not missing as well.
        if (given || !faults_.sound({key})) continue;
        faults_.add(key, "is missing", required.why, "add `" + required.example + "` to [" + table + "]");
    }
}

}  // namespace isogrid::study
