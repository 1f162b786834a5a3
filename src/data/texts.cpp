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

base::Result<std::vector<Text>> open_texts(std::span<const std::string> names) {
    std::vector<Text> texts;
    base::Faults faults;
    for (const std::string& name : names) {
        std::error_code ignored;
        if (std::filesystem::is_directory(name, ignored)) {
            faults.push_back({name, "cannot be read", "it is a folder", "name the files in it"});
            continue;
        }
        files::Descriptor opened(name == "-" ? ::dup(STDIN_FILENO)
                                             : ::open(name.c_str(), O_RDONLY | O_CLOEXEC));
        if (!opened) {
            const char* action = errno == EACCES ? "check its permissions" : "check its name";
            faults.push_back({name, "cannot be read", std::strerror(errno), action});
            continue;
        }
        const off_t start = ::lseek(opened.get(), 0, SEEK_CUR);
        texts.push_back({name, std::move(opened), start});
    }
    if (!faults.empty()) return tl::unexpected(std::move(faults));
    return texts;
}

void rewind(const Text& text) {
    if (text.start >= 0) ::lseek(text.descriptor.get(), text.start, SEEK_SET);
}

base::Result<void> make_rereadable(Text& text, const std::filesystem::path& out) {
    if (text.start >= 0) return {};
    auto copy = files::NewFile::create(out);
    if (!copy) return tl::unexpected(std::move(copy.error()));
    const auto copied =
        for_each_block(text.descriptor, text.name, [&](std::string_view block) -> base::Result<void> {
            copy->write(block);
            return {};
        });
    text.descriptor = files::Descriptor(::open(copy->temporary_path().c_str(), O_RDONLY | O_CLOEXEC));
    text.start = 0;
    return copied;
}

}  // namespace isogrid::data
