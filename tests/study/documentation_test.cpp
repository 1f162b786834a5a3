// docs/job-file.md is true: its examples parse, its defaults and ranges hold. So is docs/job-faults.md: its
// faults come as it says.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "study/job_text.hpp"

namespace isogrid::study {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

/// A fenced block: its language line and its content.
struct Block {
    std::string kind, text;
};

/// A row of a table of keys: | `key` | type | default | range | meaning |
struct KeyRow {
    std::string table, key, type, standard, range;
};

struct Page {
    std::vector<Block> blocks;
    std::vector<KeyRow> keys;
};

std::vector<std::string> cells_of(const std::string& row) {
    std::vector<std::string> cells;
    std::istringstream stream(row.substr(1));
    for (std::string cell; std::getline(stream, cell, '|');) {
        const std::size_t first = cell.find_first_not_of(" `"), last = cell.find_last_not_of(" `");
        cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
    }
    return cells;
}

/// Adds the blocks and keys of a page.
void read_into(Page& page, const std::string& name) {
    std::ifstream file(ISOGRID_SOURCE_DIR "/docs/" + name);
    std::string table;
    bool inside = false;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("```")) {
            inside = !inside;
            if (inside) page.blocks.push_back({line.substr(3), ""});
        } else if (inside) {
            page.blocks.back().text += line + "\n";
        } else if (line.starts_with("### [")) {
            table = line.substr(5, line.find(']') - 5);
        } else if (line.starts_with("| `")) {
            const std::vector<std::string> cells = cells_of(line);
            page.keys.push_back({table, cells.at(0), cells.at(1), cells.at(2), cells.at(3)});
        }
    }
}

Page read_page() {
    Page both;
    read_into(both, "job-file.md");
    read_into(both, "job-faults.md");
    return both;
}

const Page& page() {
    static const Page page = read_page();  // asked for once a key
    return page;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        lines.push_back(line);
    return lines;
}

/// A block of changes to the smallest job, and the block of messages that follows it.
struct Example {
    std::string job;
    std::vector<std::string> messages;
};

std::vector<Example> examples_of(const Page& page, const std::string& kind) {
    std::vector<Example> examples;
    for (std::size_t i = 0; i + 1 < page.blocks.size(); ++i) {
        if (page.blocks[i].kind != kind) continue;
        EXPECT_EQ(page.blocks[i + 1].kind, "text") << "no messages after\n" << page.blocks[i].text;
        examples.push_back({testing::edited(testing::smallest_job(), page.blocks[i].text),
                            lines_of(page.blocks[i + 1].text)});
    }
    return examples;
}

std::string all_faults(const std::string& text) {
    std::string all;
    for (const std::string& fault : testing::faults_of(text))
        all += fault + "\n";
    return all;
}

/// The smallest job with the smallest table of the study that `table` is, if it is one.
std::string job_with(const std::string& table) {
    for (const Block& block : page().blocks)
        if (block.kind == "toml study" && block.text.starts_with("[" + table + "]"))
            return testing::edited(testing::smallest_job(), block.text);
    return testing::smallest_job();
}

std::string changed(const KeyRow& row, const std::string& value) {
    return testing::edited(job_with(row.table), "[" + row.table + "]\n" + row.key + " = " + value + "\n");
}

TEST(Documentation, opensWithTheSmallestJob) {
    ASSERT_FALSE(page().blocks.empty());
    EXPECT_EQ(page().blocks.front().text, testing::smallest_job());
    EXPECT_EQ(all_faults(page().blocks.front().text), "");
}

TEST(Documentation, hasOnlyExamplesThatParse) {
    for (const Block& block : page().blocks) {
        if (block.kind != "toml") continue;
        EXPECT_EQ(all_faults(block.text), "") << block.text;
    }
}

TEST(Documentation, hasStudiesThatCanBeAddedToTheSmallestJob) {
    std::size_t studies = 0;
    for (const Block& block : page().blocks) {
        if (block.kind != "toml study") continue;
        const base::Result<Study> study =
            testing::parsed(testing::edited(testing::smallest_job(), block.text));
        ASSERT_TRUE(study) << block.text << base::to_string(study.error());
        const std::string name = block.text.substr(1, block.text.find(']') - 1);
        const auto of_study = [&](const PlannedTrial& planned) {
            return std::find(planned.studies.begin(), planned.studies.end(), name) != planned.studies.end();
        };
        EXPECT_TRUE(std::any_of(study->grid.trials.begin(), study->grid.trials.end(), of_study)) << name;
        ++studies;
    }
    EXPECT_EQ(studies, 9);
}

TEST(Documentation, statesEveryFaultAsItComes) {
    const std::vector<Example> examples = examples_of(page(), "toml fault");
    EXPECT_GT(examples.size(), 20);
    for (const Example& example : examples)
        EXPECT_THAT(testing::faults_of(example.job), ElementsAreArray(example.messages)) << example.job;
}

TEST(Documentation, statesEveryWarningAsItComes) {
    const std::vector<Example> examples = examples_of(page(), "toml warning");
    EXPECT_GE(examples.size(), 5);
    for (const Example& example : examples) {
        const base::Result<Study> study = testing::parsed(example.job);
        ASSERT_TRUE(study) << base::to_string(study.error());
        EXPECT_THAT(study->grid.warnings, ElementsAreArray(example.messages)) << example.job;
    }
}

TEST(Documentation, statesTheDefaults) {
    for (const KeyRow& row : page().keys) {
        if (row.standard.starts_with("the ")) continue;  // what other tables say
        const Study standard = testing::parsed(job_with(row.table)).value();
        if (row.standard == "required") {
            const std::string without =
                testing::edited(job_with(row.table), "[" + row.table + "]\n# " + row.key + " = out of use\n");
            EXPECT_THAT(all_faults(without), HasSubstr(row.table + "." + row.key + ": is missing"));
            continue;
        }
        const base::Result<Study> study = testing::parsed(changed(row, row.standard));
        ASSERT_TRUE(study) << row.key << "\n" << base::to_string(study.error());
        EXPECT_EQ(study->job.seed, standard.job.seed) << row.key;
        EXPECT_EQ(study->job.ranks_per_trial, standard.job.ranks_per_trial) << row.key;
        EXPECT_EQ(study->job.trials_per_card, standard.job.trials_per_card) << row.key;
        EXPECT_EQ(study->job.threads_per_rank, standard.job.threads_per_rank) << row.key;
        EXPECT_EQ(study->job.device, standard.job.device) << row.key;
        EXPECT_EQ(study->job.checkpoint_minutes, standard.job.checkpoint_minutes) << row.key;
        EXPECT_EQ(study->job.keep_weights, standard.job.keep_weights) << row.key;
        EXPECT_EQ(study->job.keep_trunks, standard.job.keep_trunks) << row.key;
        // 2.6667 stands for 8/3, which makes the same shapes; everything else shows in the trials.
        EXPECT_EQ(study->grid.trials, standard.grid.trials) << row.key << " = " << row.standard;
    }
}

TEST(Documentation, statesTheRanges) {
    std::size_t ranges = 0;
    for (const KeyRow& row : page().keys) {
        if (row.range.find(" to ") == std::string::npos) continue;
        const bool list = row.type.starts_with("list") || row.type == "two numbers";
        EXPECT_THAT(all_faults(changed(row, list ? "[-1000000, 2]" : "-1000000")),
                    HasSubstr("the range is " + row.range + ")"))
            << row.key;
        ++ranges;
    }
    EXPECT_GT(ranges, 20);
}

TEST(Documentation, listsEveryTableAndKey) {
    std::map<std::string, std::vector<std::string>> documented;
    for (const KeyRow& row : page().keys)
        documented[row.table].push_back(row.key);

    const std::string unlike_any_table = testing::edited(testing::smallest_job(), "[qqqqqqqqqqqqqqqq]\n");
    const std::string tables = all_faults(unlike_any_table);
    for (const auto& [table, keys] : documented) {
        EXPECT_THAT(tables, HasSubstr(table));
        std::string listed;
        for (const std::string& key : keys)
            listed += (listed.empty() ? "" : ", ") + key;
        const std::string unlike_any_key =
            testing::edited(testing::smallest_job(), "[" + table + "]\nqqqqqqqqqqqqqqqq = 1\n");
        EXPECT_THAT(all_faults(unlike_any_key), HasSubstr("(known here: " + listed + ")")) << table;
    }
    EXPECT_EQ(std::count(tables.begin(), tables.end(), ','), static_cast<long>(documented.size()) - 1);
}

TEST(Quickstart, setsEveryDocumentedKey) {
    std::ifstream file(ISOGRID_SOURCE_DIR "/jobs/quickstart.toml");
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    for (const KeyRow& row : page().keys)
        if (job_with(row.table) == testing::smallest_job()) {  // no study of its own
            EXPECT_THAT(text, HasSubstr("\n" + row.key + " = ")) << row.table;
        }
}

}  // namespace
}  // namespace isogrid::study
