#include "archive/durable_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <stdexcept>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace isogrid::archive {

namespace {

[[noreturn]] void give_up(const std::filesystem::path& path, int error) {
    throw std::runtime_error(path.string() + ": cannot be written (" +
                             std::generic_category().message(error) +
                             ") make room or set the rights there and start again; what is finished is kept");
}

/// An open file or folder.
class Descriptor {
  public:
    Descriptor(const std::filesystem::path& path, int flags, const std::filesystem::path& name)
        : fd_(::open(path.c_str(), flags, 0666)) {
        if (fd_ < 0) give_up(name, errno);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }

    int get() const { return fd_; }
    int close() { return ::close(std::exchange(fd_, -1)); }

  private:
    int fd_;
};

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
    Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, name);
    content([&](std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) give_up(name, errno);
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        }
    });
    if (::fsync(file.get()) != 0) give_up(name, errno);
    if (file.close() != 0) give_up(name, errno);  // network file systems report a full quota here
}

/// Where a link leads, whether or not something is there yet.
std::filesystem::path behind_links(std::filesystem::path path) {
    constexpr int most = 40;  // as the system allows
    for (int hop = 0; hop < most && std::filesystem::is_symlink(path); ++hop)
        path = path.parent_path() / std::filesystem::read_symlink(path);
    return path;
}

void sync_folder(const std::filesystem::path& folder) {
    const Descriptor handle(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, folder);
    if (::fsync(handle.get()) != 0 && errno != EINVAL)
        give_up(folder, errno);  // EINVAL: it has no such thing
}

}  // namespace

bool write_durably(const std::filesystem::path& path, std::span<const std::byte> bytes,
                   const Writer& writer) {
    return write_durably(
        path, [bytes](const Put& put) { put(bytes); }, writer);
}

bool write_durably(const std::filesystem::path& path, const Content& content, const Writer& writer) {
    const std::filesystem::path place = behind_links(path);
    Temporary temporary{place.string() + ".tmp-" + writer.tag};
    write_all(temporary.path, path, content);
    if (writer.still_holder && !writer.still_holder()) return false;
    if (::rename(temporary.path.c_str(), place.c_str()) != 0) give_up(path, errno);
    temporary.in_place = true;
    sync_folder(place.parent_path());
    return true;
}

}  // namespace isogrid::archive
