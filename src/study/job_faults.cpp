// Faults of a job file, each with its line.
#include "study/job_faults.hpp"

#include <algorithm>
#include <utility>

#include "base/wording.hpp"

namespace isogrid::study {

namespace {

/// As apply_scale does (study/scale).
bool is_scaled(const std::string& key) {
    const auto has = [&](const char* part) { return key.find(part) != std::string::npos; };
    return key != "data.tokens" &&
           (has("budgets") || has("tokens") || has("branches") || has("ramp[") || has("batch_schedule["));
}

}  // namespace

std::string element(const std::string& key, std::size_t index) {
    return key + "[" + std::to_string(index + 1) + "]";
}

void JobFaults::place(const std::string& key, std::int64_t line) {
    lines_[key] = line;
}

std::int64_t JobFaults::line_of(std::string key) const {
    while (true) {
        if (const auto found = lines_.find(key); found != lines_.end()) return found->second;
        if (key.empty()) return 0;
        const std::size_t cut = key.find_last_of(".[");
        key.resize(cut == std::string::npos ? 0 : cut);
    }
}

void JobFaults::add(const std::string& key, std::string problem, std::string why, std::string action) {
    if (found_.size() == most_told) {
        ++left_out_;
        return;
    }
    const std::int64_t line = line_of(key);
    std::string where = file_;
    if (line > 0) where.append(":").append(std::to_string(line));
    if (!key.empty()) where += ": " + key;
    if (scale_ != 1 && is_scaled(key)) {
        where += " (scaled by " + base::as_written(scale_) + ")";
        action += ", or the scale";
    }
    found_.push_back({line, {std::move(where), std::move(problem), std::move(why), std::move(action)}});
    unsound_.insert(key);
}

bool JobFaults::sound(std::initializer_list<std::string_view> keys) const {
    if (left_out_ > 0) return false;
    const auto inside = [](std::string_view part, std::string_view whole) {
        if (whole.empty()) return true;  // the file itself
        if (!part.starts_with(whole)) return false;
        return part.size() == whole.size() || part[whole.size()] == '.' || part[whole.size()] == '[';
    };
    return std::none_of(unsound_.begin(), unsound_.end(), [&](const std::string& unsound) {
        return std::any_of(keys.begin(), keys.end(), [&](std::string_view key) {
            return inside(unsound, key) || inside(key, unsound);
        });
    });
}

base::Faults JobFaults::in_order() const {
    std::vector<Found> sorted = found_;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const Found& one, const Found& other) { return one.line < other.line; });
    base::Faults faults;
    for (Found& found : sorted)
        faults.push_back(std::move(found.fault));
    if (left_out_ > 0)
        faults.push_back({file_, "has " + std::to_string(left_out_) + " more faults, or more",
                          "the first " + std::to_string(most_told) + " are told", "correct these first"});
    return faults;
}

}  // namespace isogrid::study
