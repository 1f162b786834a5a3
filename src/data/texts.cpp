#include "data/texts.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <set>
#include <string_view>
#include <unistd.h>
#include <utility>

#include <sys/stat.h>

#include "data/text_blocks.hpp"
#include "files/new_file.hpp"

namespace isogrid::data {

namespace {

base::Result<files::Descriptor> opened(const std::string& name) {
    std::error_code ignored;
    if (std::filesystem::is_directory(name, ignored))
        return base::fail(name, "cannot be read", "it is a folder", "name the files in it");
    files::Descriptor file(name == "-" ? ::dup(STDIN_FILENO) : ::open(name.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file)
        return base::fail(name, "cannot be read", std::strerror(errno),
                          errno == EACCES ? "check its permissions" : "check its name");
    return file;
}

/// What a file is packed as, by its first bytes; nothing where it is none that is known, or a pipe.
std::optional<std::string_view> packed_as(const files::Descriptor& file, off_t start) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> known = {
        {{"\x1f\x8b\x08", "gzip"},
         {"\x28\xb5\x2f\xfd", "zstd"},
         {"\xfd"
          "7zXZ",
          "xz"},
         {"BZh91AY&SY", "bzip2"},
         {"PK\x03\x04", "zip"},
         {"PAR1\x15", "parquet"}}};
    std::array<char, 16> bytes{};
    const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), start);
    const std::string_view first(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    for (const auto& [magic, name] : known)
        if (first.starts_with(magic)) return name;
    return std::nullopt;
}

}  // namespace

base::Result<std::vector<Text>> find_texts(std::span<const std::string> names, bool letters) {
    std::vector<Text> texts;
    base::Faults faults;
    std::set<std::pair<dev_t, ino_t>> seen;
    for (const std::string& name : names) {
        auto file = opened(name);
        if (!file) {
            faults.push_back(file.error().front());
            continue;
        }
        struct stat facts {};
        if (::fstat(file->get(), &facts) == 0 && S_ISREG(facts.st_mode) &&
            !seen.emplace(facts.st_dev, facts.st_ino).second) {
            faults.push_back({name, "is given twice",
                              "what is held out of the one would be trained on in the other",
                              "name it once"});
            continue;
        }
        const off_t start = ::lseek(file->get(), 0, SEEK_CUR);
        if (const auto packing = letters ? packed_as(*file, start) : std::nullopt) {
            faults.push_back({name, "is packed", "it begins as " + std::string(*packing) + " does",
                              "unpack it, into a file or a pipe to isogrid tokenize -"});
            continue;
        }
        Text& text = texts.emplace_back(Text{.name = name, .start = start, .once = start < 0});
        if (text.once || name == "-") text.kept = *std::move(file);
    }
    if (!faults.empty()) return tl::unexpected(std::move(faults));
    return texts;
}

base::Result<files::Descriptor> opened(const Text& text) {
    if (!text.kept) return opened(text.name);
    files::Descriptor file(::dup(text.kept.get()));
    if (!text.once) ::lseek(file.get(), text.start, SEEK_SET);
    return file;
}

base::Result<void> make_rereadable(Text& text, const std::filesystem::path& out) {
    if (!text.once) return {};
    auto copy = files::NewFile::create(out);
    if (!copy) return tl::unexpected(std::move(copy.error()));
    const auto copied =
        for_each_block(text.kept, text.name, [&](std::string_view block) -> base::Result<void> {
            copy->write(block);
            return {};
        });
    text = {.name = text.name,
            .kept = files::Descriptor(::open(copy->temporary_path().c_str(), O_RDONLY | O_CLOEXEC))};
    return copied;
}

}  // namespace isogrid::data
