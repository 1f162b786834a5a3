#include "files/new_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <stdexcept>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "files/durable.hpp"

namespace isogrid::files {

namespace {

bool is_full_disk(std::error_code error) {
    return error.value() == ENOSPC || error.value() == EDQUOT || error.value() == EFBIG;
}

const char* action_for(std::error_code error) {
    if (is_full_disk(error)) return "make room, or write to another disk";
    switch (error.value()) {
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

[[noreturn]] void give_up(const std::filesystem::path& path, const std::string& problem,
                          std::error_code error) {
    throw std::runtime_error(path.string() + ": " + problem + " (" + error.message() + ") " +
                             action_for(error));
}

}  // namespace

base::Result<NewFile> NewFile::create(const std::filesystem::path& path) {
    std::error_code ignored;
    const std::filesystem::file_status status = std::filesystem::status(path, ignored);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
        return base::fail(path.string(), "cannot be written", "it is a folder or a device", "name a file");
    const std::filesystem::path place = behind_links(path);
    for (int attempt = 0;; ++attempt) {
        const std::string temporary =
            place.string() + '.' + std::to_string(::getpid()) + '-' + std::to_string(attempt) + ".partial";
        Descriptor descriptor(::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
        if (descriptor) return NewFile(place, temporary, std::move(descriptor));
        const std::error_code error = last_error();
        if (error == std::errc::file_exists) continue;
        if (is_full_disk(error)) give_up(path, "cannot be written", error);
        return base::fail(path.string(), "cannot be written", error.message(), action_for(error));
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

void NewFile::write(std::span<const std::byte> bytes) {
    if (const std::error_code error = write_all(descriptor_, bytes))
        give_up(path_, "cannot be written to its end", error);
}

void NewFile::write_at(std::int64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::pwrite(descriptor_.get(), bytes.data(), bytes.size(), offset);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) give_up(path_, "cannot be written", last_error());
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        offset += written;
    }
}

std::size_t NewFile::read_at(std::int64_t offset, std::span<std::byte> bytes) const {
    std::size_t total = 0;
    while (total < bytes.size()) {
        const ssize_t got = ::pread(descriptor_.get(), bytes.data() + total, bytes.size() - total,
                                    offset + static_cast<std::int64_t>(total));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) give_up(path_, "cannot be read back", last_error());
        if (got == 0) break;
        total += static_cast<std::size_t>(got);
    }
    return total;
}

void NewFile::commit() {
    const auto fail = [&](const char* problem, std::error_code error) {
        ::unlink(temporary_.c_str());
        give_up(path_, problem, error);
    };
    if (const std::error_code error = sync_and_close(descriptor_))
        fail("cannot be brought to the disk", error);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot be put in its place", last_error());
    if (const std::error_code error = sync_folder_of(path_))
        give_up(path_, "may be lost in a power cut", error);
}

}  // namespace isogrid::files
