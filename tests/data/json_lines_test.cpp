// Documents of JSON Lines, and lines that are none.
#include "data/json_lines.hpp"

#include <fcntl.h>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scratch_folder.hpp"

namespace isogrid::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

base::Result<std::vector<std::string>> documents_of(const std::string& bytes,
                                                    const std::string& field = "text") {
    const ScratchFolder folder;
    write_all(folder / "a.jsonl", bytes);
    std::vector<std::string> documents;
    return for_each_document(files::Descriptor(::open((folder / "a.jsonl").c_str(), O_RDONLY)), "a.jsonl",
                             field,
                             [&](std::string_view document) -> base::Result<void> {
                                 documents.emplace_back(document);
                                 return {};
                             })
        .map([&] { return documents; });
}

std::string fault_of(const std::string& bytes, const std::string& field = "text") {
    const auto result = documents_of(bytes, field);
    return result ? "no fault" : base::to_string(result.error());
}

TEST(JsonLines, areDocumentsWithABlankLineBehindEach) {
    EXPECT_THAT(documents_of("{\"text\": \"One.\\nMore.\", \"id\": 3}\n{\"text\":\"Two.\\n\"}\n").value(),
                ElementsAre("One.\nMore.\n\n", "Two.\n\n"));
}

TEST(JsonLines, mayEndWithoutALinesEndAndHaveEmptyLines) {
    EXPECT_THAT(documents_of("\r\n{\"text\":\"\"}\n\n{\"text\":\"\\u00e9 \\ud83d\\ude00\"}").value(),
                ElementsAre("\u00e9 \U0001f600\n\n"));
    EXPECT_THAT(documents_of("").value(), ElementsAre());
}

TEST(JsonLines, standUnderTheFieldThatIsAskedFor) {
    EXPECT_THAT(documents_of("{\"content\":\"a\",\"text\":\"b\"}", "content").value(), ElementsAre("a\n\n"));
    EXPECT_THAT(fault_of("{\"text\":\"a\"}\n{\"txt\":\"b\"}\n"),
                HasSubstr("a.jsonl:2: holds no text (its object has no string \"text\")"));
    EXPECT_THAT(fault_of("{\"text\":7}"), HasSubstr("a.jsonl:1: holds no text"));
}

TEST(JsonLines, whichAreNoObjectsAreRefused) {
    for (const char* line : {"a text", "[1, 2]", "\"text\"", "{\"text\":\"a\"", "{\"text\":\"\xff\"}", "7"})
        EXPECT_THAT(fault_of(line), HasSubstr("a.jsonl:1: is no JSON object")) << line;
}

TEST(JsonLines, mayBeLongerThanWhatIsReadAtOnce) {
    const std::string large(3'000'000, 'a');
    const auto documents = documents_of("{\"text\":\"" + large + "\"}\n{\"text\":\"b\"}\n").value();
    ASSERT_EQ(documents.size(), 2u);
    EXPECT_EQ(documents[0].size(), large.size() + 2);
}

TEST(JsonLines, stopAtTheFirstFaultOfWhoReadsThem) {
    const ScratchFolder folder;
    write_all(folder / "a.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n");
    int seen = 0;
    const auto stopped =
        for_each_document(files::Descriptor(::open((folder / "a.jsonl").c_str(), O_RDONLY)), "a.jsonl",
                          "text", [&](std::string_view) -> base::Result<void> {
                              ++seen;
                              return base::fail("here", "is enough", "one was asked for", "stop");
                          });
    EXPECT_FALSE(stopped);
    EXPECT_EQ(seen, 1);
}

}  // namespace
}  // namespace isogrid::data
