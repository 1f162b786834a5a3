#include "archive/durable_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <stdexcept>
#include <system_error>
#include <unistd.h>

#include "files/durable.hpp"

namespace isogrid::archive {

namespace {

[[noreturn]] void give_up(const std::filesystem::path& path, std::error_code error) {
    throw std::runtime_error(path.string() + ": cannot be written (" + error.message() +
                             ") make room or set the rights there and start again; what is finished is kept");
}

/// Takes the temporary file away again unless it was put in place.
struct Temporary {
    std::filesystem::path path;
    bool in_place = false;

    ~Temporary() {
        if (!in_place) ::unlink(path.c_str());
    }
};

/// Writes `path`, which becomes `name`: the name that messages tell.
void write_all(const std::filesystem::path& path, const std::filesystem::path& name, const Content& content) {
    files::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!file) give_up(name, {errno, std::generic_category()});
    content([&](std::span<const std::byte> bytes) {
        if (const std::error_code error = files::write_all(file, bytes)) give_up(name, error);
    });
    if (const std::error_code error = files::sync_and_close(file)) give_up(name, error);
}

}  // namespace

bool write_durably(const std::filesystem::path& path, std::span<const std::byte> bytes,
                   const Writer& writer) {
    return write_durably(
        path, [bytes](const Put& put) { put(bytes); }, writer);
}

bool write_durably(const std::filesystem::path& path, const Content& content, const Writer& writer) {
    const std::filesystem::path place = files::behind_links(path);
    Temporary temporary{place.string() + ".tmp-" + writer.tag};
    write_all(temporary.path, path, content);
    if (writer.still_holder && !writer.still_holder()) return false;
    if (::rename(temporary.path.c_str(), place.c_str()) != 0) give_up(path, {errno, std::generic_category()});
    temporary.in_place = true;
    if (const std::error_code error = files::sync_folder_of(place)) give_up(path, error);
    return true;
}

}  // namespace isogrid::archive
