// Editing and reading job files in tests.
#include "study/job_text.hpp"

#include <sstream>

namespace isogrid::study::testing {

namespace {

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        lines.push_back(line);
    return lines;
}

/// `batch` of `# batch = 16`; empty where a line sets no key.
std::string key_of(const std::string& line) {
    const std::size_t first = line.find_first_not_of("# ");
    const std::size_t equals = line.find('=');
    if (first == std::string::npos || equals == std::string::npos) return "";
    const std::string key = line.substr(first, equals - first);
    return key.substr(0, key.find(' '));
}

std::size_t table_start(std::vector<std::string>& lines, const std::string& header) {
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (lines[i].starts_with(header)) return i + 1;
    }
    lines.push_back(header);
    return lines.size();
}

}  // namespace

std::string smallest_job() {
    return R"([study]
name = "smallest"

[data]
tokens = "english.tok"

[model]
widths = [32, 48, 64, 80, 96, 112, 128, 144, 160, 192, 224, 256]

[recipe]
learning_rate = 0.01

[isoflop]
budgets = [1e12, 3e12, 1e13, 4e13]
)";
}

std::string edited(const std::string& job, const std::string& changes) {
    std::vector<std::string> lines = lines_of(job);
    std::size_t start = 0;  // of the table that changes go to
    for (const std::string& change : lines_of(changes)) {
        if (change.empty()) continue;
        if (change.starts_with("[")) {
            start = table_start(lines, change);
            continue;
        }
        std::size_t at = start, end = start;  // end: behind the table's last line that is not empty
        for (; at < lines.size() && !lines[at].starts_with("["); ++at) {
            if (key_of(lines[at]) == key_of(change)) break;
            if (!lines[at].empty()) end = at + 1;
        }
        const bool replaces = at < lines.size() && !lines[at].starts_with("[");
        if (replaces) {
            lines[at] = change;
        } else {
            lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(end), change);
        }
    }
    std::string text;
    for (const std::string& line : lines)
        text += line + "\n";
    return text;
}

base::Result<CorpusFacts> read_tokens(const std::filesystem::path& token_file) {
    CorpusFacts facts{.vocabulary = 256, .digest = std::string(64, 'a')};
    if (token_file == "jobs/english.tok") {
        facts.training_tokens = 60'000'000;
        facts.validation_tokens = 320'000;
    } else if (token_file == "jobs/short.tok") {
        facts.training_tokens = 1'000;
        facts.validation_tokens = 100;
    } else {
        return base::fail(token_file.string(), "is missing", "there is no file of this name",
                          "make it with isogrid tokenize");
    }
    return facts;
}

double closed_form_flops(const Shape& shape) {
    return count_flops(shape, 0).attention;
}

base::Result<Study> parsed(const std::string& text) {
    return parse_study(text, "jobs/x.toml", "jobs", read_tokens, closed_form_flops);
}

std::vector<std::string> faults_of(const std::string& text) {
    std::vector<std::string> texts;
    if (const base::Result<Study> study = parsed(text); !study) {
        for (const base::Fault& fault : study.error())
            texts.push_back(base::to_string(fault));
    }
    return texts;
}

}  // namespace isogrid::study::testing
