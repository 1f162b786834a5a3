// Token files come back as they were written; damaged, foreign and unwritable ones are refused, each in its
// own words.
#include "data/token_file.hpp"

#include <csignal>
#include <filesystem>
#include <numeric>
#include <stdexcept>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "data/token_format.hpp"
#include "data/write_token_file.hpp"
#include "scratch_folder.hpp"

namespace isogrid::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <class T>
std::string message(const base::Result<T>& result) {
    return result ? "no fault" : base::to_string(result.error());
}

std::vector<Token> counting(std::size_t count) {
    std::vector<Token> tokens(count);
    std::iota(tokens.begin(), tokens.end(), Token{0});
    return tokens;
}

/// A file of 1,000 training and 100 validation tokens, vocabulary 1,000.
TokenFileHeader write_example(const std::filesystem::path& path) {
    const auto header = write_token_file(path, counting(1000), counting(100), "bytes", 1000, 3000, 300);
    EXPECT_TRUE(header) << message(header);
    return header.value();
}

/// The example with the bytes at `offset` replaced.
std::string damaged(const ScratchFolder& folder, std::size_t offset, const std::string& bytes) {
    write_example(folder / "a.tok");
    std::string content = read_all(folder / "a.tok");
    content.replace(offset, bytes.size(), bytes);
    write_all(folder / "a.tok", content);
    return message(TokenFile::open(folder / "a.tok"));
}

TEST(TokenFile, comesBackAsItWasWritten) {
    const ScratchFolder folder;
    const TokenFileHeader written = write_example(folder / "a.tok");
    const auto file = TokenFile::open(folder / "a.tok");
    ASSERT_TRUE(file) << message(file);
    EXPECT_TRUE(std::ranges::equal(file->training(), counting(1000)));
    EXPECT_TRUE(std::ranges::equal(file->validation(), counting(100)));
    EXPECT_EQ(file->header().tokenizer, "bytes");
    EXPECT_EQ(file->header().vocabulary, 1000);
    EXPECT_EQ(file->header().training_tokens, 1000);
    EXPECT_EQ(file->header().validation_tokens, 100);
    EXPECT_EQ(file->header().training_bytes, 3000);
    EXPECT_EQ(file->header().validation_bytes, 300);
    EXPECT_EQ(file->header().digest, written.digest);
    EXPECT_EQ(file->header().digest.size(), 64u);
    EXPECT_TRUE(file->verify()) << message(file->verify());
    EXPECT_EQ(folder.entries(), 1);
}

TEST(TokenFile, staysReadableThroughACopyWhenTheFirstIsGone) {
    const ScratchFolder folder;
    write_example(folder / "a.tok");
    auto first = TokenFile::open(folder / "a.tok");
    ASSERT_TRUE(first);
    const TokenFile copy = *first;
    first = TokenFile::open(folder / "none.tok");
    EXPECT_EQ(copy.training()[999], 999);
}

TEST(TokenFile, isVerifiedAgainWhereSomebodyHasTouchedIt) {
    const ScratchFolder folder;
    const auto path = folder / "a.tok";
    write_example(path);
    const auto file = TokenFile::open(path);
    ASSERT_TRUE(file);
    const std::string seen = file->seen_as();
    EXPECT_TRUE(file->verify_if_touched());
    EXPECT_EQ(file->seen_as(), seen);

    std::fstream in_place(path, std::ios::binary | std::ios::in | std::ios::out);
    in_place.seekg(300);
    const auto before = static_cast<char>(in_place.peek());
    const auto put = [&](char byte) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the clock of files ticks slowly
        in_place.seekp(300);
        in_place.put(byte).flush();
    };
    put(static_cast<char>(before + 1));
    EXPECT_THAT(message(file->verify_if_touched()), HasSubstr("is damaged"));
    put(before);
    EXPECT_THAT(message(file->verify_if_touched()), HasSubstr("is damaged"))
        << "it may have been read between";
    const auto again = TokenFile::open(path);
    put(before);
    EXPECT_TRUE(again->verify_if_touched());
    EXPECT_NE(again->seen_as(), seen);

    // Another file under its name is nothing to who has this one open.
    std::filesystem::remove(path);
    std::ofstream(path) << "another";
    EXPECT_TRUE(again->verify_if_touched());
}

// The layout that docs/token-file.md promises, byte by byte.
TEST(TokenFile, hasTheDocumentedLayout) {
    const ScratchFolder folder;
    const std::vector<Token> training = {0x0102}, validation = {0x0304};
    const auto header = write_token_file(folder / "a.tok", training, validation, "bytes", 1024, 7, 9);
    ASSERT_TRUE(header);
    const std::string bytes = read_all(folder / "a.tok");
    const auto number = [](char low) { return std::string(1, low) + std::string(7, '\0'); };
    EXPECT_EQ(bytes.substr(0, 16), "\x89isotok\n" + number(1));
    EXPECT_EQ(bytes.substr(16, 8), std::string("\0\4", 2) + std::string(6, '\0'));
    EXPECT_EQ(bytes.substr(24, 32), number(1) + number(1) + number(7) + number(9));
    EXPECT_EQ(bytes.substr(56, 64), header->digest);
    EXPECT_EQ(bytes.substr(120, 136), "bytes" + std::string(131, '\0'));
    EXPECT_EQ(bytes.substr(256), "\x02\x01\x04\x03");

    const std::string fields = bytes.substr(0, 56) + std::string(64, '\0') + bytes.substr(120, 136);
    EXPECT_EQ(header->digest, base::sha256(bytes.substr(256) + fields));
}

TEST(TokenFile, hasADigestOfEveryField) {
    const ScratchFolder folder;
    const auto digest = [&](std::vector<Token> training, std::vector<Token> validation, std::string tokenizer,
                            std::int64_t vocabulary, std::int64_t training_bytes,
                            std::int64_t validation_bytes) {
        return write_token_file(folder / "a.tok", training, validation, tokenizer, vocabulary, training_bytes,
                                validation_bytes)
            .value()
            .digest;
    };
    const std::vector<std::string> digests = {
        digest({1, 2}, {3}, "bytes", 256, 2, 1), digest({1, 3}, {3}, "bytes", 256, 2, 1),
        digest({1, 2}, {4}, "bytes", 256, 2, 1), digest({1}, {2, 3}, "bytes", 256, 2, 1),
        digest({1, 2}, {3}, "other", 256, 2, 1), digest({1, 2}, {3}, "bytes", 257, 2, 1),
        digest({1, 2}, {3}, "bytes", 256, 3, 1), digest({1, 2}, {3}, "bytes", 256, 2, 2)};
    EXPECT_EQ(std::set<std::string>(digests.begin(), digests.end()).size(), digests.size());
    EXPECT_EQ(digest({1, 2}, {3}, "bytes", 256, 2, 1), digests[0]);
}

TEST(TokenFile, isRefusedWhenMissingEmptyOrAFolder) {
    const ScratchFolder folder;
    write_all(folder / "empty.tok", "");
    EXPECT_THAT(message(TokenFile::open(folder / "none.tok")), HasSubstr("none.tok: is missing"));
    EXPECT_THAT(message(TokenFile::open(folder / "empty.tok")), HasSubstr("is empty"));
    EXPECT_THAT(message(TokenFile::open(folder.path())), HasSubstr("it is not a file"));
}

TEST(TokenFile, isRefusedWhenForeignOrFromANewerVersion) {
    const ScratchFolder folder;
    write_all(folder / "short.tok", "hello");
    write_all(folder / "text.tok", std::string(1000, 'x'));
    EXPECT_THAT(message(TokenFile::open(folder / "short.tok")), HasSubstr("is not a token file"));
    EXPECT_THAT(message(TokenFile::open(folder / "text.tok")), HasSubstr("is not a token file"));
    EXPECT_THAT(damaged(folder, 8, "\x02"), HasSubstr("version 2 of the format, this isogrid knows 1"));
}

TEST(TokenFile, isRefusedWhenItsLengthIsNotWhatItsHeaderSays) {
    const ScratchFolder folder;
    write_example(folder / "a.tok");
    const std::string whole = read_all(folder / "a.tok");
    write_all(folder / "cut.tok", whole.substr(0, whole.size() - 1));
    write_all(folder / "longer.tok", whole + "x");
    EXPECT_THAT(message(TokenFile::open(folder / "cut.tok")), HasSubstr("is truncated"));
    EXPECT_THAT(message(TokenFile::open(folder / "longer.tok")),
                HasSubstr("1 bytes stand after its last token"));
}

TEST(TokenFile, isRefusedWhenItsCountsAreImpossible) {
    const ScratchFolder folder;
    const std::string minus_one(8, '\xff'), largest = std::string(7, '\xff') + "\x7f";
    EXPECT_THAT(damaged(folder, 16, minus_one), HasSubstr("impossible counts"));
    EXPECT_THAT(damaged(folder, 24, minus_one), HasSubstr("impossible counts"));
    EXPECT_THAT(damaged(folder, 24, largest), HasSubstr("is truncated"));            // no overflow
    EXPECT_THAT(damaged(folder, 24, largest + largest), HasSubstr("is truncated"));  // no overflow
    EXPECT_THAT(damaged(folder, 16, std::string("\x01\x00\x01", 3)),
                HasSubstr("impossible counts"));  // 65,537
}

class FlippedByte : public testing::TestWithParam<std::size_t> {};

// Bytes that open() cannot judge: counts of text bytes, digest, tokenizer, tokens.
TEST_P(FlippedByte, isFoundByVerify) {
    const ScratchFolder folder;
    EXPECT_EQ(damaged(folder, GetParam(), "\x7e"), "no fault");
    const auto verified = TokenFile::open(folder / "a.tok")->verify();
    EXPECT_THAT(message(verified), HasSubstr("a.tok: is damaged (its content does not have the digest"));
}
INSTANTIATE_TEST_SUITE_P(Offset, FlippedByte, testing::Values(40, 48, 56, 119, 120, 255, 256, 256 + 2199));

TEST(TokenFile, isRefusedByVerifyWhenATokenLiesOutsideTheVocabulary) {
    const ScratchFolder folder;
    ASSERT_TRUE(write_token_file(folder / "a.tok", counting(300), counting(10), "bytes", 256, 300, 10));
    EXPECT_THAT(message(TokenFile::open(folder / "a.tok")->verify()),
                HasSubstr("token 256 lies outside its vocabulary of 256"));
}

TEST(TokenWriter, keepsTheTwoPartsApartHoweverTheyCome) {
    const ScratchFolder folder;
    auto writer = TokenWriter::create(folder / "a.tok");
    ASSERT_TRUE(writer);
    std::vector<Token> training, validation;
    for (int piece = 0; piece < 700; ++piece) {  // 1.4 million tokens: more than the buffers hold
        const std::vector<Token> tokens(2000 + piece % 7, static_cast<Token>(piece));
        const bool held_out = piece % 3 == 0;
        auto& kept = held_out ? validation : training;
        kept.insert(kept.end(), tokens.begin(), tokens.end());
        writer->append(held_out ? Part::validation : Part::training, tokens, 10);
    }
    writer->finish("bytes", 1000);
    const auto file = TokenFile::open(folder / "a.tok");
    ASSERT_TRUE(file) << message(file);
    EXPECT_TRUE(std::ranges::equal(file->training(), training));
    EXPECT_TRUE(std::ranges::equal(file->validation(), validation));
    EXPECT_EQ(file->header().training_bytes + file->header().validation_bytes, 7000);
    EXPECT_TRUE(file->verify());
}

TEST(TokenWriter, leavesNothingWhenItIsNotFinished) {
    const ScratchFolder folder;
    {
        auto writer = TokenWriter::create(folder / "a.tok");
        ASSERT_TRUE(writer);
        writer->append(Part::training, counting(10), 10);
    }
    EXPECT_EQ(folder.entries(), 0);
}

TEST(TokenWriter, replacesAnOlderFileOnlyWhenItIsFinished) {
    const ScratchFolder folder;
    const std::string older = write_example(folder / "a.tok").digest;
    auto writer = TokenWriter::create(folder / "a.tok");
    ASSERT_TRUE(writer);
    writer->append(Part::training, counting(10), 10);
    EXPECT_EQ(TokenFile::open(folder / "a.tok")->header().digest, older);
    writer->finish("bytes", 256);
    EXPECT_NE(TokenFile::open(folder / "a.tok")->header().digest, older);
}

TEST(TokenWriter, saysWhenThePlaceCannotBeWritten) {
    const ScratchFolder folder;
    EXPECT_THAT(message(TokenWriter::create(folder / "none/a.tok")),
                HasSubstr("cannot be written (No such file or directory) make its folder first"));
    EXPECT_THAT(message(TokenWriter::create(folder.path())), HasSubstr("it is a folder"));
    EXPECT_THAT(message(TokenWriter::create("/proc/a.tok")), HasSubstr("/proc/a.tok: cannot be written"));
}

/// A limit on the size of this process's files, which a write meets as it would meet a full disk.
class FileSizeLimit {
  public:
    explicit FileSizeLimit(rlim_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit = {bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        handler_ = std::signal(SIGXFSZ, SIG_IGN);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;
    ~FileSizeLimit() {
        std::signal(SIGXFSZ, handler_);
        ::setrlimit(RLIMIT_FSIZE, &before_);
    }

  private:
    rlimit before_{};
    void (*handler_)(int);
};

TEST(TokenWriter, saysWhenTheDiskIsFullAndLeavesNothing) {
    const ScratchFolder folder;
    for (const rlim_t room : {rlim_t{100}, rlim_t{1000}, rlim_t{2300}}) {  // header, training, validation
        const FileSizeLimit limit(room);
        EXPECT_THAT(
            [&] {
                static_cast<void>(write_token_file(folder / "a.tok", counting(1000), counting(100), "bytes",
                                                   1000, 1000, 100));
            },
            testing::ThrowsMessage<std::runtime_error>(
                testing::AllOf(HasSubstr("a.tok: cannot be written to its end"),
                               HasSubstr("make room, or write to another disk"))));
        EXPECT_EQ(folder.entries(), 0);
    }
}

}  // namespace
}  // namespace isogrid::data
