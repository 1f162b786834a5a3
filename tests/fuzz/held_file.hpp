// A file whose content changes thousands of times a second.
#pragma once

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace isogrid::fuzz {

/// Stays open and is written in place: cutting a file to nothing and closing it would have a file system
/// write it to disk each time. What was put last is there however the process ends.
class HeldFile {
  public:
    explicit HeldFile(std::filesystem::path path)
        : path_(std::move(path)),
          descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
        if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), path_.string());
    }
    ~HeldFile() { ::close(descriptor_); }
    HeldFile(const HeldFile&) = delete;
    HeldFile& operator=(const HeldFile&) = delete;

    /// The file holds these bytes and no others. Throws std::system_error.
    const std::filesystem::path& put(const std::string& bytes) const {
        const auto written = ::pwrite(descriptor_, bytes.data(), bytes.size(), 0);
        if (written != static_cast<ssize_t>(bytes.size()) || ::ftruncate(descriptor_, written) != 0)
            throw std::system_error(errno, std::generic_category(), path_.string());
        return path_;
    }

  private:
    std::filesystem::path path_;
    int descriptor_;
};

}  // namespace isogrid::fuzz
