#include "data/new_file.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace isogrid::data {

namespace {

constexpr int most_links = 40;  // as the system allows

std::filesystem::path folder_of(const std::filesystem::path& path) {
    return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

std::string action_for(int error) {
    switch (error) {
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
            return "make room, or write to another disk";
        case ENOENT:
        case ENOTDIR:
            return "make its folder first";
        case EACCES:
        case EPERM:
        case EROFS:
            return "choose a place you may write to";
        default:
            return "look at the disk";
    }
}

/// A rename is on the disk only when its folder is. File systems that cannot sync a folder say EINVAL.
bool sync_folder(const std::filesystem::path& folder) {
    const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return opened && (::fsync(opened.get()) == 0 || errno == EINVAL);
}

}  // namespace

study::Result<NewFile> NewFile::create(const std::filesystem::path& path) {
    std::error_code ignored;
    const std::filesystem::file_status status = std::filesystem::status(path, ignored);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
        return study::fail(path.string(), "cannot be written", "it is a folder or a device", "name a file");
    std::filesystem::path target = path;  // where a link leads, whether or not something is there yet
    for (int hop = 0; hop < most_links && std::filesystem::is_symlink(target, ignored); ++hop)
        target = target.parent_path() / std::filesystem::read_symlink(target, ignored);
    for (int attempt = 0;; ++attempt) {
        const std::string temporary =
            target.string() + '.' + std::to_string(::getpid()) + '-' + std::to_string(attempt) + ".partial";
        Descriptor descriptor(::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
        if (descriptor) return NewFile(target, temporary, std::move(descriptor));
        if (errno != EEXIST)
            return study::fail(path.string(), "cannot be written", std::strerror(errno), action_for(errno));
    }
}

NewFile::NewFile(std::filesystem::path path, std::filesystem::path temporary, Descriptor descriptor)
    : path_(std::move(path)),
      temporary_(std::move(temporary)),
      descriptor_(std::move(descriptor)),
      unfinished_(temporary_.string()) {}

NewFile::~NewFile() {
    if (descriptor_) ::unlink(temporary_.c_str());
}

tl::unexpected<study::Faults> NewFile::failure(const std::string& problem) const {
    const int error = errno;
    return study::fail(path_.string(), problem, std::strerror(error), action_for(error));
}

study::Result<void> NewFile::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor_.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return failure("cannot be written to its end");
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

study::Result<void> NewFile::write_at(std::int64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::pwrite(descriptor_.get(), bytes.data(), bytes.size(), offset);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return failure("cannot be written");
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        offset += written;
    }
    return {};
}

study::Result<std::size_t> NewFile::read_at(std::int64_t offset, std::span<std::byte> bytes) const {
    std::size_t total = 0;
    while (total < bytes.size()) {
        const ssize_t got = ::pread(descriptor_.get(), bytes.data() + total, bytes.size() - total,
                                    offset + static_cast<std::int64_t>(total));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failure("cannot be read back");
        if (got == 0) break;
        total += static_cast<std::size_t>(got);
    }
    return total;
}

study::Result<void> NewFile::commit() {
    if (::fsync(descriptor_.get()) != 0) return failure("cannot be brought to the disk");
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) return failure("cannot be put in its place");
    descriptor_ = Descriptor();
    if (!sync_folder(folder_of(path_))) return failure("may be lost in a power cut");
    return {};
}

}  // namespace isogrid::data
