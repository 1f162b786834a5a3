#include "base/digest.hpp"

#include <array>
#include <stdexcept>

#include <openssl/evp.h>

namespace isogrid::base {

struct Sha256::Context {
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> handle{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
    if (!context_->handle || EVP_DigestInit_ex(context_->handle.get(), EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("SHA-256 cannot start (OpenSSL refused it) check the OpenSSL installation");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
    EVP_DigestUpdate(context_->handle.get(), bytes.data(), bytes.size());
}

void Sha256::update(std::string_view text) {
    update(std::as_bytes(std::span(text)));
}

std::string Sha256::finish() {
    std::array<unsigned char, 32> raw{};
    EVP_DigestFinal_ex(context_->handle.get(), raw.data(), nullptr);
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * raw.size());
    for (const unsigned char byte : raw) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

std::string sha256(std::span<const std::byte> bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.finish();
}

std::string sha256(std::string_view text) {
    return sha256(std::as_bytes(std::span(text)));
}

}  // namespace isogrid::base
