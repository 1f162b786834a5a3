#include "data/token_writer.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "data/token_format.hpp"

namespace isogrid::data {

namespace {

using base::Result;

constexpr std::size_t buffered_tokens = 1 << 19;  // writes of 1 MB

template <std::size_t size>
void put(const std::string& text, std::array<char, size>& field) {
    assert(text.size() <= size);
    std::copy(text.begin(), text.end(), field.begin());
}

}  // namespace

Result<TokenWriter> TokenWriter::create(const std::filesystem::path& path) {
    auto file = files::NewFile::create(path);
    if (!file) return tl::unexpected(std::move(file.error()));
    const RawHeader reserved;
    file->write(std::as_bytes(std::span(&reserved, 1)));
    auto validation_file =
        files::NewFile::create(path);  // never committed: its content ends up behind the training part
    if (!validation_file) return tl::unexpected(std::move(validation_file.error()));
    return TokenWriter(path, std::move(*file), std::move(*validation_file));
}

TokenWriter::TokenWriter(std::filesystem::path path, files::NewFile file, files::NewFile validation_file)
    : path_(std::move(path)), file_(std::move(file)), validation_file_(std::move(validation_file)) {}

void TokenWriter::append(Part part, std::span<const Token> tokens, std::int64_t text_bytes) {
    Piece& piece = part == Part::training ? training_ : validation_;
    piece.buffer.insert(piece.buffer.end(), tokens.begin(), tokens.end());
    piece.tokens += static_cast<std::int64_t>(tokens.size());
    piece.bytes += text_bytes;
    if (piece.buffer.size() >= buffered_tokens) flush(part);
}

void TokenWriter::flush(Part part) {
    Piece& piece = part == Part::training ? training_ : validation_;
    const auto bytes = std::as_bytes(std::span(piece.buffer));
    if (part == Part::training) hash_.update(bytes);
    (part == Part::training ? file_ : validation_file_).write(bytes);
    piece.buffer.clear();
}

/// Puts the validation part behind the training part.
void TokenWriter::copy_validation() {
    std::vector<std::byte> buffer(buffered_tokens * sizeof(Token));
    for (std::int64_t offset = 0;;) {
        const std::size_t got = validation_file_.read_at(offset, buffer);
        if (got == 0) return;
        const auto bytes = std::span<const std::byte>(buffer).first(got);
        hash_.update(bytes);
        file_.write(bytes);
        offset += static_cast<std::int64_t>(got);
    }
}

TokenFileHeader TokenWriter::finish(const std::string& tokenizer, std::int64_t vocabulary) {
    assert(vocabulary >= 1 && vocabulary <= largest_vocabulary);
    RawHeader raw;
    raw.vocabulary = vocabulary;
    raw.training_tokens = training_.tokens;
    raw.validation_tokens = validation_.tokens;
    raw.training_bytes = training_.bytes;
    raw.validation_bytes = validation_.bytes;
    put(tokenizer, raw.tokenizer);

    flush(Part::training);
    flush(Part::validation);
    copy_validation();
    put(finish_digest(std::move(hash_), raw), raw.digest);
    file_.write_at(0, std::as_bytes(std::span(&raw, 1)));
    file_.commit();
    return TokenFileHeader{tokenizer,
                           vocabulary,
                           training_.tokens,
                           validation_.tokens,
                           training_.bytes,
                           validation_.bytes,
                           std::string(raw.digest.begin(), raw.digest.end())};
}

}  // namespace isogrid::data
