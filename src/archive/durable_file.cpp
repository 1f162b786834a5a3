#include "archive/durable_file.hpp"

#include <fcntl.h>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <vector>

#include "files/durable.hpp"

namespace isogrid::archive {

namespace {

constexpr std::string_view temporary_mark = ".tmp-";

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
    if (!file) give_up(name, files::last_error());
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
    Temporary temporary{place.string() + std::string(temporary_mark) + writer.tag};
    write_all(temporary.path, path, content);
    if (writer.still_holder && !writer.still_holder()) return false;
    if (::rename(temporary.path.c_str(), place.c_str()) != 0) give_up(path, files::last_error());
    temporary.in_place = true;
    if (const std::error_code error = files::sync_folder_of(place)) give_up(path, error);
    return true;
}

void remove_temporaries(const std::filesystem::path& folder, const std::string& name) {
    std::error_code absent_or_forbidden;
    std::vector<std::filesystem::path> found;
    for (const auto& entry :
         std::filesystem::directory_iterator(folder.empty() ? "." : folder, absent_or_forbidden)) {
        const std::string file = entry.path().filename().string();
        const std::size_t mark = file.find(temporary_mark);
        if (mark == std::string::npos) continue;
        const std::string_view of = std::string_view(file).substr(0, mark);
        if (name.empty() ? of.ends_with(".h5") : of == name) found.push_back(entry.path());
    }
    for (const std::filesystem::path& file : found)
        std::filesystem::remove(file, absent_or_forbidden);
}

}  // namespace isogrid::archive
