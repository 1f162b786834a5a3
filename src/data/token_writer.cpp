#include "data/token_writer.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "data/token_format.hpp"

namespace isogrid::data {

namespace {

using study::Result;

constexpr std::size_t buffered_tokens = 1 << 19;  // writes of 1 MB

template <std::size_t size>
void put(const std::string& text, std::array<char, size>& field) {
    assert(text.size() <= size);
    std::copy(text.begin(), text.end(), field.begin());
}

}  // namespace

Result<TokenWriter> TokenWriter::create(const std::filesystem::path& path) {
    auto file = NewFile::create(path);
    if (!file) return tl::unexpected(std::move(file.error()));
    const RawHeader reserved;
    if (auto written = file->write(std::as_bytes(std::span(&reserved, 1))); !written)
        return tl::unexpected(std::move(written.error()));
    auto validation_file =
        NewFile::create(path);  // never committed: its content ends up behind the training part
    if (!validation_file) return tl::unexpected(std::move(validation_file.error()));
    return TokenWriter(path, std::move(*file), std::move(*validation_file));
}

TokenWriter::TokenWriter(std::filesystem::path path, NewFile file, NewFile validation_file)
    : path_(std::move(path)), file_(std::move(file)), validation_file_(std::move(validation_file)) {}

Result<void> TokenWriter::append(Part part, std::span<const Token> tokens, std::int64_t text_bytes) {
    Piece& piece = part == Part::training ? training_ : validation_;
    piece.buffer.insert(piece.buffer.end(), tokens.begin(), tokens.end());
    piece.tokens += static_cast<std::int64_t>(tokens.size());
    piece.bytes += text_bytes;
    return piece.buffer.size() < buffered_tokens ? Result<void>() : flush(part);
}

Result<void> TokenWriter::flush(Part part) {
    Piece& piece = part == Part::training ? training_ : validation_;
    const auto bytes = std::as_bytes(std::span(piece.buffer));
    if (part == Part::training) hash_.update(bytes);
    auto written = (part == Part::training ? file_ : validation_file_).write(bytes);
    piece.buffer.clear();
    return written;
}

/// Puts the validation part behind the training part.
Result<void> TokenWriter::copy_validation() {
    std::vector<std::byte> buffer(buffered_tokens * sizeof(Token));
    for (std::int64_t offset = 0;;) {
        const auto got = validation_file_.read_at(offset, buffer);
        if (!got) return tl::unexpected(got.error());
        if (*got == 0) return {};
        const auto bytes = std::span<const std::byte>(buffer).first(*got);
        hash_.update(bytes);
        if (auto written = file_.write(bytes); !written) return written;
        offset += static_cast<std::int64_t>(*got);
    }
}

Result<TokenFileHeader> TokenWriter::finish(const std::string& tokenizer, std::int64_t vocabulary) {
    assert(vocabulary >= 1 && vocabulary <= largest_vocabulary);
    RawHeader raw;
    raw.vocabulary = vocabulary;
    raw.training_tokens = training_.tokens;
    raw.validation_tokens = validation_.tokens;
    raw.training_bytes = training_.bytes;
    raw.validation_bytes = validation_.bytes;
    put(tokenizer, raw.tokenizer);

    const auto write_header = [&]() -> Result<void> {
        put(finish_digest(std::move(hash_), raw), raw.digest);
        return file_.write_at(0, std::as_bytes(std::span(&raw, 1)));
    };
    const auto all = flush(Part::training)
                         .and_then([&] { return flush(Part::validation); })
                         .and_then([&] { return copy_validation(); })
                         .and_then(write_header)
                         .and_then([&] { return file_.commit(); });
    if (!all) return tl::unexpected(all.error());
    return TokenFileHeader{tokenizer,
                           vocabulary,
                           training_.tokens,
                           validation_.tokens,
                           training_.bytes,
                           validation_.bytes,
                           std::string(raw.digest.begin(), raw.digest.end())};
}

Result<TokenFileHeader> write_token_file(const std::filesystem::path& path, std::span<const Token> training,
                                         std::span<const Token> validation, const std::string& tokenizer,
                                         std::int64_t vocabulary, std::int64_t training_bytes,
                                         std::int64_t validation_bytes) {
    auto writer = TokenWriter::create(path);
    if (!writer) return tl::unexpected(std::move(writer.error()));
    const auto added = writer->append(Part::training, training, training_bytes).and_then([&] {
        return writer->append(Part::validation, validation, validation_bytes);
    });
    if (!added) return tl::unexpected(added.error());
    return writer->finish(tokenizer, vocabulary);
}

}  // namespace isogrid::data
