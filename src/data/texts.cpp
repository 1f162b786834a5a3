#include "data/texts.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>
#include <utility>

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

}  // namespace

base::Result<std::vector<Text>> find_texts(std::span<const std::string> names) {
    std::vector<Text> texts;
    base::Faults faults;
    for (const std::string& name : names) {
        auto file = opened(name);
        if (!file) {
            faults.push_back(file.error().front());
            continue;
        }
        const off_t start = ::lseek(file->get(), 0, SEEK_CUR);
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
