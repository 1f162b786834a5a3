// From texts to a token file: nothing lost, nothing in both parts, and every bad request refused in words.
#include "data/tokenize.hpp"

#include <cmath>
#include <fcntl.h>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "data/sample_text.hpp"
#include "data/tokenizer.hpp"
#include "files/descriptor.hpp"
#include "scratch_folder.hpp"

namespace isogrid::data {
namespace {

using testing::AllOf;
using testing::HasSubstr;

template <class T>
std::string message(const base::Result<T>& result) {
    return result ? "no fault" : base::to_string(result.error());
}

/// The text behind a part of a token file of bytes.
std::string text_of(std::span<const Token> tokens) {
    return make_byte_tokenizer()->decode(tokens);
}

std::multiset<std::string> lines_of(const std::string& text) {
    std::istringstream stream(text);
    std::multiset<std::string> lines;
    for (std::string line; std::getline(stream, line);)
        if (!line.empty()) lines.insert(line);
    return lines;
}

class Tokenize : public testing::Test {
  protected:
    TokenizeRequest request(const std::string& text, double validation = 0.1) {
        write_all(folder / "text", text);
        return {{(folder / "text").string()}, folder / "out.tok", "bytes", validation};
    }

    ScratchFolder folder;
};

/// Standard input is something else for as long as this lives.
class StandardInput {
  public:
    explicit StandardInput(files::Descriptor replacement) : before_(::dup(STDIN_FILENO)) {
        ::dup2(replacement.get(), STDIN_FILENO);
    }
    StandardInput(const StandardInput&) = delete;
    StandardInput& operator=(const StandardInput&) = delete;
    ~StandardInput() { ::dup2(before_.get(), STDIN_FILENO); }

  private:
    files::Descriptor before_;
};

/// Standard input is a pipe through which `text` comes.
class PipedInput {
  public:
    explicit PipedInput(const std::string& text) {
        int ends[2];
        if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
        input_.emplace(files::Descriptor(ends[0]));
        writer_ = std::thread([text, end = files::Descriptor(ends[1])] {
            for (std::size_t done = 0; done < text.size();)
                done += static_cast<std::size_t>(
                    std::max<ssize_t>(0, ::write(end.get(), text.data() + done, text.size() - done)));
        });
    }
    PipedInput(const PipedInput&) = delete;
    PipedInput& operator=(const PipedInput&) = delete;
    ~PipedInput() { writer_.join(); }

  private:
    std::optional<StandardInput> input_;
    std::thread writer_;
};

TEST_F(Tokenize, losesNothingAndHoldsNothingTwice) {
    const std::string text = sample_text(3000);
    const auto header = tokenize(request(text));
    ASSERT_TRUE(header) << message(header);
    const TokenFile file = TokenFile::open(folder / "out.tok").value();
    EXPECT_TRUE(file.verify());

    const auto training = lines_of(text_of(file.training())),
               validation = lines_of(text_of(file.validation()));
    for (const std::string& paragraph : validation)  // every paragraph is unlike all others
        EXPECT_EQ(training.count(paragraph), 0u);
    auto together = training;
    together.insert(validation.begin(), validation.end());
    EXPECT_EQ(together, lines_of(text));
    EXPECT_EQ(header->training_bytes + header->validation_bytes, static_cast<std::int64_t>(text.size()));
    EXPECT_EQ(header->training_tokens, header->training_bytes);
    EXPECT_EQ(folder.entries(), 2);  // the text and its tokens
}

// 3,000 paragraphs of about 220 bytes are about 150 blocks; the part held out is binomial, with a deviation
// of sqrt(0.2 * 0.8 / 150) = 0.033. Both halves of the text give some of it.
TEST_F(Tokenize, holdsOutAboutThePartAskedForSpreadOverTheText) {
    const std::string text = sample_text(3000);
    const auto header = tokenize(request(text, 0.2));
    ASSERT_TRUE(header);
    const double held_out = static_cast<double>(header->validation_bytes) / static_cast<double>(text.size());
    EXPECT_NEAR(held_out, 0.2, 4 * 0.033);
    const auto validation = lines_of(text_of(TokenFile::open(folder / "out.tok")->validation()));
    EXPECT_LT(validation.begin()->compare("Paragraph 15"), 0);
    EXPECT_GT(validation.rbegin()->compare("Paragraph 15"), 0);
}

TEST_F(Tokenize, givesTheSameFileEveryTime) {
    const auto first = tokenize(request(sample_text(500))), second = tokenize(request(sample_text(500)));
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->digest, second->digest);
}

TEST_F(Tokenize, readsStandardInputLikeAFile) {
    const std::string text = sample_text(2000);  // more than a pipe holds
    const std::string digest = tokenize(request(text)).value().digest;
    const PipedInput input(text);
    const auto header = tokenize({{"-"}, folder / "piped.tok", "bytes", 0.1});
    ASSERT_TRUE(header) << message(header);
    EXPECT_EQ(header->digest, digest);
}

TEST_F(Tokenize, takesSeveralTextsInTheirOrder) {
    write_all(folder / "first", sample_text(100));
    write_all(folder / "second", "Last.\n");
    const auto header = tokenize({{folder / "first", folder / "second"}, folder / "out.tok", "bytes", 0.3});
    ASSERT_TRUE(header) << message(header);
    EXPECT_EQ(header->training_bytes + header->validation_bytes,
              static_cast<std::int64_t>(sample_text(100).size() + 6));
    const TokenFile file = TokenFile::open(folder / "out.tok").value();
    EXPECT_TRUE(text_of(file.training()).ends_with("Last.\n") ||
                text_of(file.validation()).ends_with("Last.\n"));
}

TEST_F(Tokenize, takesMoreTextsThanAProcessMayHaveOpen) {
    TokenizeRequest wanted{.texts = {}, .out = folder / "out.tok", .validation = 0.3};
    for (int number = 0; number < 100; ++number) {
        wanted.texts.push_back((folder / std::to_string(number)).string());
        write_all(wanted.texts.back(), sample_paragraph(number));
    }
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const rlimit few{.rlim_cur = 50, .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
    const auto header = tokenize(wanted);
    ::setrlimit(RLIMIT_NOFILE, &before);
    ASSERT_TRUE(header) << message(header);
    EXPECT_EQ(header->training_bytes + header->validation_bytes,
              static_cast<std::int64_t>(sample_text(100).size()));
}

TEST_F(Tokenize, keepsBytesThatAreNoText) {
    std::string text;
    for (int i = 0; i < 100'000; ++i)
        text += static_cast<char>(i * 7);
    const auto header = tokenize(request(text, 0.4));
    ASSERT_TRUE(header) << message(header);
    EXPECT_EQ(header->training_bytes + header->validation_bytes, 100'000);
}

TEST_F(Tokenize, trainsAVocabularyAndKeepsItsModel) {
    TokenizeRequest wanted = request(sample_text(500));
    wanted.tokenizer = "sentencepiece:400";
    const auto header = tokenize(wanted);
    ASSERT_TRUE(header) << message(header);
    EXPECT_EQ(header->vocabulary, 400);
    EXPECT_LT(2 * header->training_tokens, header->training_bytes);

    const auto tokenizer = load_sentencepiece_tokenizer(folder / "out.model");
    ASSERT_TRUE(tokenizer) << message(tokenizer);
    EXPECT_EQ(header->tokenizer, (*tokenizer)->name());
    const TokenFile file = TokenFile::open(folder / "out.tok").value();
    EXPECT_TRUE(file.verify());
    auto lines = lines_of((*tokenizer)->decode(file.training()));
    lines.merge(lines_of((*tokenizer)->decode(file.validation())));
    EXPECT_EQ(lines, lines_of(sample_text(500)));

    // The same model, loaded: the same tokens.
    wanted.tokenizer = folder / "out.model";
    wanted.out = folder / "again.tok";
    EXPECT_EQ(tokenize(wanted).value().digest, header->digest);
}

TEST_F(Tokenize, holdsOutWholeTexts) {
    write_all(folder / "training", sample_text(400));
    write_all(folder / "held out", "Short.\n");
    for (const char* tokenizer : {"bytes", "sentencepiece:400"}) {
        const auto header = tokenize({.texts = {folder / "training"},
                                      .out = folder / "out.tok",
                                      .tokenizer = tokenizer,
                                      .held_out = {folder / "held out"}});
        ASSERT_TRUE(header) << message(header);
        EXPECT_EQ(header->training_bytes, static_cast<std::int64_t>(sample_text(400).size()));
        EXPECT_EQ(header->validation_bytes, 7);
    }
    const auto tokenizer = load_sentencepiece_tokenizer(folder / "out.model");
    const TokenFile file = TokenFile::open(folder / "out.tok").value();
    EXPECT_EQ((*tokenizer)->decode(file.training()), sample_text(400));
    EXPECT_EQ((*tokenizer)->decode(file.validation()), "Short.\n");
}

TEST_F(Tokenize, trainsOnAShortTextWhereAnotherIsHeldOut) {
    write_all(folder / "held out", "Held out.\n");
    TokenizeRequest wanted = request("A single line.\n");
    wanted.held_out = {(folder / "held out").string()};
    EXPECT_EQ(tokenize(wanted).value().training_bytes, 15);
}

TEST_F(Tokenize, refusesHeldOutTextsThatAreMissingEmptyOrTrainedOn) {
    TokenizeRequest wanted = request(sample_text(100));
    wanted.held_out = {folder / "none"};
    EXPECT_THAT(message(tokenize(wanted)), HasSubstr("none: cannot be read"));
    write_all(folder / "empty", "");
    wanted.held_out = {folder / "empty"};
    EXPECT_THAT(message(tokenize(wanted)), HasSubstr("empty: holds no text (there is nothing to hold out)"));
    wanted.held_out = {folder / "text"};
    EXPECT_THAT(message(tokenize(wanted)), HasSubstr("text: is given twice"));
    EXPECT_EQ(folder.entries(), 2);
}

TEST_F(Tokenize, holdsOutWholeDocumentsOfJsonLines) {
    std::string lines;
    for (int number = 0; number < 200; ++number)
        lines += "{\"text\":\"Document " + std::to_string(number) + ".\\n\\nIts second paragraph " +
                 std::to_string(number) + ".\"}\n";
    for (const char* tokenizer : {"bytes", "sentencepiece:330"}) {
        TokenizeRequest wanted = request(lines, 0.3);
        wanted.json_field = "text";
        wanted.tokenizer = tokenizer;
        const auto header = tokenize(wanted);
        ASSERT_TRUE(header) << message(header);
        EXPECT_GT(header->validation_tokens, 0);
    }
    const auto tokenizer = load_sentencepiece_tokenizer(folder / "out.model");
    const TokenFile file = TokenFile::open(folder / "out.tok").value();
    const std::string training = (*tokenizer)->decode(file.training()),
                      validation = (*tokenizer)->decode(file.validation());
    for (int number = 0; number < 200; ++number) {
        const std::string begin = "Document " + std::to_string(number) + ".",
                          whole = begin + "\n\nIts second paragraph " + std::to_string(number) + ".\n\n";
        const bool is_held_out = validation.find(begin) != std::string::npos;
        EXPECT_NE((is_held_out ? validation : training).find(whole), std::string::npos) << number;
        EXPECT_EQ((is_held_out ? training : validation).find(begin), std::string::npos) << number;
    }
    TokenizeRequest short_one = request("{\"text\":\"a\"}\n");
    short_one.json_field = "text";
    EXPECT_THAT(message(tokenize(short_one)), HasSubstr("(0 of its 1 documents fell to validation)"));
    short_one.tokenizer = "tokens:300";
    EXPECT_THAT(message(tokenize(short_one)), HasSubstr("--json-field: cannot be given with --tokenizer"));
}

TEST_F(Tokenize, takesTokensThatAnotherProgramMade) {
    std::string numbers;  // of 16 bits: 0, 1, 2, ...
    for (int token = 0; token < 50'000; ++token)
        numbers += {static_cast<char>(token & 0xff), static_cast<char>(token >> 8)};
    TokenizeRequest wanted = request(numbers, 0.3);
    wanted.tokenizer = "tokens:50257";
    const auto header = tokenize(wanted);
    ASSERT_TRUE(header) << message(header);
    EXPECT_EQ(header->tokenizer, "tokens");
    EXPECT_EQ(header->vocabulary, 50257);
    EXPECT_EQ(header->training_tokens + header->validation_tokens, 50'000);
    EXPECT_EQ(header->training_bytes + header->validation_bytes, 0);  // nobody knows
    const TokenFile file = TokenFile::open(folder / "out.tok").value();
    EXPECT_TRUE(file.verify());
    std::multiset<Token> all(file.training().begin(), file.training().end());
    all.insert(file.validation().begin(), file.validation().end());
    EXPECT_EQ(std::set<Token>(all.begin(), all.end()).size(), 50'000u);  // each once

    wanted.tokenizer = "tokens:49999";
    EXPECT_THAT(message(tokenize(wanted)), HasSubstr("49999 at place 49999"));
}

TEST_F(Tokenize, trainsAVocabularyOnStandardInputToo) {
    TokenizeRequest wanted = request(sample_text(500));
    wanted.tokenizer = "sentencepiece:400";
    const std::string digest = tokenize(wanted).value().digest;
    const PipedInput input(sample_text(500));
    const auto header = tokenize({{"-"}, folder / "piped.tok", "sentencepiece:400", 0.1});
    ASSERT_TRUE(header) << message(header);
    EXPECT_EQ(header->digest, digest);
    EXPECT_EQ(folder.entries(), 5);  // text, two files of tokens, two models; no copy of the input is left
}

TEST_F(Tokenize, refusesAnImpossibleRequestWithEveryFaultAtOnce) {
    const auto refused = tokenize({{"-", "-"}, "", "words", 0.6});
    EXPECT_THAT(
        message(refused),
        AllOf(HasSubstr("-: is given twice"), HasSubstr("--out: no file given"),
              HasSubstr("--validation: 0.6 cannot be used (it is the part held out: above 0, at most 0.5)"),
              HasSubstr("--tokenizer: there is no tokenizer 'words'")));
    for (const double validation : {0.0, -0.1, 0.51, std::nan("")})
        EXPECT_THAT(message(tokenize(request("text", validation))), HasSubstr("--validation: "));
    EXPECT_THAT(message(tokenize({{}, folder / "out.tok"})), HasSubstr("no text given"));
}

TEST_F(Tokenize, refusesVocabulariesThatATokenCannotName) {
    TokenizeRequest wanted = request("text");
    for (const auto& tokenizer :
         {"sentencepiece:65537", "sentencepiece:10", "sentencepiece:", "sentencepiece:4k", "sentencepiece:-5",
          "sentencepiece:99999999999999999999"}) {
        wanted.tokenizer = tokenizer;
        EXPECT_THAT(message(tokenize(wanted)),
                    HasSubstr("cannot be used (a vocabulary has 320 to 65536 pieces)"));
    }
    for (const auto& tokenizer : {"tokens:1", "tokens:65537", "tokens:", "tokens:50k"}) {
        wanted.tokenizer = tokenizer;
        EXPECT_THAT(message(tokenize(wanted)),
                    HasSubstr("cannot be used (a vocabulary has 2 to 65536 tokens)"));
    }
}

TEST_F(Tokenize, namesEveryTextThatItCannotRead) {
    const auto refused = tokenize({{folder / "none", folder.path(), folder / "nothing"}, folder / "out.tok"});
    EXPECT_THAT(message(refused), AllOf(HasSubstr("none: cannot be read (No such file or directory)"),
                                        HasSubstr("it is a folder"), HasSubstr("nothing: cannot be read")));
    EXPECT_EQ(folder.entries(), 0);
}

TEST_F(Tokenize, refusesPackedTexts) {
    for (const auto& [bytes, packing] : std::vector<std::pair<std::string, std::string>>{
             {"\x1f\x8b\x08", "gzip"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"PAR1\x15", "parquet"}}) {
        const auto wanted = request(bytes + std::string(100'000, '\n'));
        EXPECT_THAT(message(tokenize(wanted)),
                    HasSubstr("text: is packed (it begins as " + packing + " does)"));
    }
}

TEST_F(Tokenize, saysWhenATextMayNotBeRead) {
    if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
    const auto wanted = request("text");
    ::chmod((folder / "text").c_str(), 0);
    EXPECT_THAT(message(tokenize(wanted)), HasSubstr("Permission denied) check its permissions"));
}

TEST_F(Tokenize, refusesTextsThatAreEmptyOrTooShortToSplit) {
    EXPECT_THAT(message(tokenize(request(""))), HasSubstr("text: holds no text"));
    EXPECT_THAT(
        message(tokenize(request("a single line\n"))),
        HasSubstr(
            "is too short to hold a part of it out (0 of its 1 blocks of about 4 KB fell to validation)"));
    EXPECT_EQ(folder.entries(), 1);  // the text
}

TEST_F(Tokenize, refusesToOverwriteWhatItReads) {
    TokenizeRequest wanted = request(sample_text(100));
    wanted.out = folder / "text";
    EXPECT_THAT(message(tokenize(wanted)),
                HasSubstr("would be overwritten (it is read and written at once)"));
    EXPECT_EQ(read_all(folder / "text"), sample_text(100));

    write_all(folder / "a.model", "a model");
    wanted.tokenizer = wanted.out = folder / "a.model";
    EXPECT_THAT(message(tokenize(wanted)), HasSubstr("a.model: would be overwritten"));
    wanted.tokenizer = "sentencepiece:400";
    EXPECT_THAT(message(tokenize(wanted)), HasSubstr("the vocabulary's model has this name"));
    EXPECT_EQ(read_all(folder / "a.model"), "a model");
}

TEST_F(Tokenize, refusesATextThatIsGivenTwice) {
    TokenizeRequest wanted = request(sample_text(100));
    std::filesystem::create_symlink(folder / "text", folder / "link");
    wanted.texts.push_back((folder / "link").string());
    EXPECT_THAT(message(tokenize(wanted)), HasSubstr("link: is given twice (what is held out of the one"));
}

TEST_F(Tokenize, refusesStandardInputThatIsHeldOutByItsName) {
    TokenizeRequest wanted = request(sample_text(100));
    const StandardInput input(files::Descriptor(::open((folder / "text").c_str(), O_RDONLY)));
    wanted.held_out = std::exchange(wanted.texts, {"-"});
    EXPECT_THAT(message(tokenize(wanted)), HasSubstr("text: is given twice"));
}

TEST_F(Tokenize, refusesAPlaceItCannotWriteTo) {
    TokenizeRequest wanted = request(sample_text(100));
    wanted.out = "/dev/full";
    EXPECT_THAT(message(tokenize(wanted)),
                HasSubstr("/dev/full: cannot be written (it is a folder or a device)"));
    wanted.out = folder / "none/out.tok";
    EXPECT_THAT(message(tokenize(wanted)), HasSubstr("make its folder first"));
}

TEST_F(Tokenize, leavesAnOlderFileWhenItFails) {
    const std::string digest = tokenize(request(sample_text(500))).value().digest;
    TokenizeRequest wanted = request("too little text\n", 0.5);
    wanted.tokenizer = "sentencepiece:4096";
    EXPECT_FALSE(tokenize(wanted));
    EXPECT_EQ(TokenFile::open(folder / "out.tok")->header().digest, digest);
    EXPECT_EQ(folder.entries(), 2);
}

}  // namespace
}  // namespace isogrid::data
