#include "data/token_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include <sys/mman.h>
#include <sys/stat.h>

#include "data/token_format.hpp"
#include "files/descriptor.hpp"

namespace isogrid::data {

namespace {

using base::fail;
using base::Result;

constexpr std::string_view make_again = "make it again with isogrid tokenize";

template <std::size_t size>
std::string text_of(const std::array<char, size>& field) {
    return {field.begin(), std::find(field.begin(), field.end(), '\0')};
}

/// Checks a header against the rules of the format and the length of its file.
Result<void> check(const RawHeader& raw, std::int64_t file_bytes, const std::string& where) {
    if (raw.magic != token_file_magic)
        return fail(where, "is not a token file", "its first eight bytes are not the magic of one",
                    "make one with isogrid tokenize");
    if (raw.version != token_file_version)
        return fail(where, "cannot be read",
                    "it has version " + std::to_string(raw.version) + " of the format, this isogrid knows " +
                        std::to_string(token_file_version),
                    raw.version > token_file_version ? "use the isogrid that made it, or a newer one"
                                                     : std::string(make_again));
    const std::int64_t most_tokens = (file_bytes - static_cast<std::int64_t>(sizeof(RawHeader))) / 2;
    if (raw.vocabulary < 1 || raw.vocabulary > largest_vocabulary || raw.training_tokens < 0 ||
        raw.validation_tokens < 0 || raw.training_bytes < 0 || raw.validation_bytes < 0)
        return fail(where, "is damaged", "its header holds impossible counts", std::string(make_again));
    if (raw.training_tokens > most_tokens || raw.validation_tokens > most_tokens - raw.training_tokens)
        return fail(where, "is truncated",
                    "its header promises " + std::to_string(raw.training_tokens) + " + " +
                        std::to_string(raw.validation_tokens) + " tokens, it has room for " +
                        std::to_string(most_tokens),
                    "copy it again, or " + std::string(make_again));
    const std::int64_t expected =
        static_cast<std::int64_t>(sizeof(RawHeader)) + 2 * (raw.training_tokens + raw.validation_tokens);
    if (file_bytes != expected)
        return fail(where, "is damaged",
                    std::to_string(file_bytes - expected) + " bytes stand after its last token",
                    "copy it again, or " + std::string(make_again));
    if (raw.training_tokens == 0)
        return fail(where, "holds no training tokens", "nothing can be trained on it",
                    std::string(make_again));
    return {};
}

}  // namespace

namespace {

std::string seen_as(const struct stat& facts) {
    std::string text = std::to_string(facts.st_ino) + " " + std::to_string(facts.st_size);
    for (const timespec& time : {facts.st_mtim, facts.st_ctim})
        text += " " + std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec);
    return text;
}

}  // namespace

/// The mapped file and its header in readable form.
struct TokenFile::Mapping {
    files::Descriptor file;
    const std::byte* data;
    std::size_t size;
    std::string path;
    RawHeader raw;
    TokenFileHeader header;
    mutable std::mutex mutex;
    mutable std::string seen;                  ///< when it was known to be good
    mutable std::optional<base::Fault> fault;  ///< once it was not: what was read meanwhile nobody knows

    Mapping(files::Descriptor open, const std::byte* mapped, const struct stat& facts, std::string where)
        : file(std::move(open)),
          data(mapped),
          size(static_cast<std::size_t>(facts.st_size)),
          path(std::move(where)),
          seen(data::seen_as(facts)) {
        std::memcpy(&raw, data, sizeof raw);
        header = {text_of(raw.tokenizer), raw.vocabulary,       raw.training_tokens, raw.validation_tokens,
                  raw.training_bytes,     raw.validation_bytes, text_of(raw.digest)};
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() { ::munmap(const_cast<std::byte*>(data), size); }

    std::span<const Token> tokens() const {
        return {reinterpret_cast<const Token*>(data + sizeof(RawHeader)),
                static_cast<std::size_t>(raw.training_tokens + raw.validation_tokens)};
    }
};

std::string finish_digest(base::Sha256 tokens_hash, RawHeader header) {
    header.digest = {};
    tokens_hash.update(std::as_bytes(std::span(&header, 1)));
    return tokens_hash.finish();
}

Result<TokenFile> TokenFile::open(const std::filesystem::path& path) {
    const std::string where = path.string();
    std::error_code problem;
    const auto kind = std::filesystem::status(path, problem).type();
    if (kind == std::filesystem::file_type::not_found)
        return fail(where, "is missing", "there is no file of this name", "make it with isogrid tokenize");
    if (kind != std::filesystem::file_type::regular)
        return fail(where, "cannot be read", problem ? problem.message() : "it is not a file",
                    "name a token file");

    files::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat facts {};
    if (!file || ::fstat(file.get(), &facts) != 0)
        return fail(where, "cannot be read", std::strerror(errno), "check its permissions");
    if (facts.st_size == 0) return fail(where, "is empty", "0 bytes", std::string(make_again));
    if (facts.st_size < static_cast<off_t>(sizeof(RawHeader)))
        return fail(where, "is not a token file",
                    std::to_string(facts.st_size) + " bytes are less than the header's 256",
                    std::string(make_again));

    const auto size = static_cast<std::size_t>(facts.st_size);
    void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
    if (mapped == MAP_FAILED)
        return fail(where, "cannot be mapped into memory", std::strerror(errno),
                    "check the limits of memory");
    auto mapping =
        std::make_shared<const Mapping>(std::move(file), static_cast<const std::byte*>(mapped), facts, where);
    if (auto checked = check(mapping->raw, facts.st_size, where); !checked)
        return tl::unexpected(std::move(checked.error()));

    TokenFile opened;
    opened.mapping_ = std::move(mapping);
    return opened;
}

const TokenFileHeader& TokenFile::header() const {
    return mapping_->header;
}

std::span<const Token> TokenFile::training() const {
    return mapping_->tokens().first(static_cast<std::size_t>(mapping_->raw.training_tokens));
}

std::span<const Token> TokenFile::validation() const {
    return mapping_->tokens().subspan(static_cast<std::size_t>(mapping_->raw.training_tokens));
}

Result<void> TokenFile::verify() const {
    base::Sha256 hash;
    hash.update(std::as_bytes(mapping_->tokens()));
    if (finish_digest(std::move(hash), mapping_->raw) != mapping_->header.digest)
        return fail(mapping_->path, "is damaged",
                    "its content does not have the digest that its header states",
                    "copy it again, or " + std::string(make_again));
    for (const Token token : mapping_->tokens())
        if (token >= mapping_->raw.vocabulary)
            return fail(mapping_->path, "is not valid",
                        "token " + std::to_string(token) + " lies outside its vocabulary of " +
                            std::to_string(mapping_->raw.vocabulary),
                        std::string(make_again));
    return {};
}

Result<void> TokenFile::verify_if_touched() const {
    const std::scoped_lock one_at_a_time(mapping_->mutex);
    if (mapping_->fault) return tl::unexpected(base::Faults{*mapping_->fault});
    struct stat facts {};
    if (::fstat(mapping_->file.get(), &facts) != 0) return {};  // a file server that is away for a moment
    std::string now = data::seen_as(facts);
    if (now == mapping_->seen) return {};
    auto verified = verify();
    if (verified)
        mapping_->seen = std::move(now);
    else
        mapping_->fault = verified.error().front();
    return verified;
}

std::string TokenFile::seen_as() const {
    const std::scoped_lock one_at_a_time(mapping_->mutex);
    return mapping_->seen;
}

}  // namespace isogrid::data
