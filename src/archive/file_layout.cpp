#include "archive/file_layout.hpp"

#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/object_messages.hpp"

namespace isogrid::archive {

namespace {

using namespace std::string_view_literals;

/// Of metadata: an object of ours has some thousand bytes.
constexpr std::uint64_t largest_piece = std::uint64_t{1} << 20;
constexpr std::size_t checksum_size = 4;

/// The file, of which every byte is one thing's.
class File {
  public:
    explicit File(const std::filesystem::path& path) : stream_(path, std::ios::binary) {
        std::error_code error;
        end_ = std::filesystem::file_size(path, error);
        if (error || !stream_) throw Hdf5Error("cannot use the file (it cannot be read)");
    }

    /// By its own account, which is the limit from now on.
    void ends_at(std::uint64_t end) {
        if (end > end_)
            throw Hdf5Error("cannot use the file (truncated file: " + std::to_string(end_) + " of " +
                            std::to_string(end) + " bytes are there)");
        end_ = end;
    }

    /// Metadata, of this name in an error.
    std::string read(std::uint64_t at, std::uint64_t length, std::string_view what) {
        if (length > largest_piece || at > end_ || length > end_ - at)
            refuse(at, std::string(what) + " reaches beyond the file, or is too long");
        std::string bytes(length, '\0');
        stream_.seekg(static_cast<std::streamoff>(at));
        if (!stream_.read(bytes.data(), static_cast<std::streamsize>(length)))
            throw Hdf5Error("cannot use the file (it cannot be read)");
        return bytes;
    }

    /// These bytes are this thing's and no other's.
    void claim(std::uint64_t at, std::uint64_t length, std::string_view what) {
        if (at > end_ || length > end_ - at) refuse(at, std::string(what) + " reaches beyond the file");
        const auto next = taken_.lower_bound(at);
        if ((next != taken_.end() && next->first < at + length) ||
            (next != taken_.begin() && std::prev(next)->second > at))
            refuse(at, std::string(what) + " lies where something else is");
        taken_.emplace(at, at + length);
    }

  private:
    std::ifstream stream_;
    std::uint64_t end_ = 0;
    std::map<std::uint64_t, std::uint64_t> taken_;  ///< by their first byte, where they end
};

/// Messages of an object that stand together.
struct Piece {
    std::string bytes;
    std::uint64_t place;
};

/// The first of them, behind the object's beginning.
Piece read_object_header(File& file, std::uint64_t at) {
    constexpr std::string_view signature = "OHDR\x02"sv;
    const std::string beginning = file.read(at, signature.size() + 1, "an object");
    Cursor in(beginning, at);
    in.expect(signature, "an object");
    const std::uint64_t flags = in.number(1, "an object");
    constexpr std::uint64_t size_width_bits = 3;
    if (flags & ~size_width_bits) refuse(at, "an object keeps times, or the order of its attributes");
    const std::size_t width = std::size_t{1} << flags;
    const std::string digits = file.read(in.place(), width, "an object's size");
    const std::uint64_t size = Cursor(digits, in.place()).number(width, "an object's size");
    const std::uint64_t messages = in.place() + width;
    Piece piece{file.read(messages, size, "an object"), messages};
    file.claim(at, messages - at + size + checksum_size, "an object");
    return piece;
}

/// Another one, where `continuation` says that the object goes on.
Piece read_continuation(File& file, Cursor continuation) {
    constexpr std::string_view signature = "OCHK"sv, where = "where an object goes on"sv;
    const std::uint64_t at = continuation.number(8, where), size = continuation.number(8, where);
    continuation.expect_end(where);
    if (size < signature.size() + checksum_size) refuse(at, "an object goes on where no room is");
    const std::string whole = file.read(at, size, where);
    file.claim(at, size, where);
    Cursor in(whole, at);
    in.expect(signature, where);
    const std::uint64_t place = in.place();
    return {std::string(in.take(size - signature.size() - checksum_size, where)), place};
}

SaidOfObject read_object(File& file, std::uint64_t at) {
    constexpr std::size_t message_prefix_size = 4;
    constexpr std::uint64_t constant_or_never_shared = 0x05;
    SaidOfObject object;
    std::vector<Piece> pieces = {read_object_header(file, at)};
    while (!pieces.empty()) {
        const Piece piece = std::move(pieces.back());
        pieces.pop_back();
        Cursor in(piece.bytes, piece.place);
        while (in.left().size() >= message_prefix_size) {
            const std::uint64_t type = in.number(1, "a message"), length = in.number(2, "a message");
            if (in.number(1, "a message") & ~constant_or_never_shared)
                refuse(in.place(), "a message of an object is shared, or for other programs");
            const Cursor message = in.part(length, "a message of an object");
            if (type == continuation_message)
                pieces.push_back(read_continuation(file, message));
            else
                read_message(type, message, object);
        }
    }
    return object;
}

/// A group with links, or rows in one place; gives the addresses of what it links to.
std::vector<std::uint64_t> check_object(File& file, std::uint64_t at) {
    const SaidOfObject object = read_object(file, at);
    const bool group = object.link_info && object.group_info;
    const bool dataset = object.points && object.element_size && object.data && object.fill_value;
    const bool of_group = object.link_info || object.group_info || !object.linked.empty();
    const bool of_dataset = object.points || object.element_size || object.data || object.fill_value;
    if (!(group && !of_dataset) && !(dataset && !of_group))
        refuse(at, "an object is neither a group nor a dataset");
    if (group) return object.linked;
    const auto [place, size] = *object.data;
    if (*object.points > size / *object.element_size || *object.points * *object.element_size != size)
        refuse(at, "a dataset says to have another size than its rows");
    if (size == 0 && place != undefined_address) refuse(at, "a dataset without rows has a place");
    if (size > 0) file.claim(place, size, "a dataset");
    return {};
}

/// Where the root group lies.
std::uint64_t check_superblock(File& file) {
    constexpr std::size_t size = 48;
    constexpr std::string_view signature = "\x89HDF\r\n\x1a\n"sv, version_and_widths = "\x02\x08\x08"sv;
    const std::string bytes = file.read(0, size, "the superblock");
    Cursor in(bytes, 0);
    in.expect(signature, "the signature");
    if (!in.left().starts_with(version_and_widths))
        throw ForeignLayout("its superblock is of another version than isogrid's");
    in.take(version_and_widths.size(), "the superblock");
    // Whether it was open when it was written, which nobody asks of version 2.
    in.number(1, "the superblock");
    if (in.number(8, "the superblock") != 0 || in.number(8, "the superblock") != undefined_address)
        refuse(in.place(), "the file begins elsewhere, or its superblock goes on elsewhere");
    file.ends_at(in.number(8, "the superblock"));
    const std::uint64_t root = in.number(8, "the superblock");
    file.claim(0, size, "the superblock");
    return root;
}

}  // namespace

void ensure_own_layout(const std::filesystem::path& path) {
    File file(path);
    std::vector<std::uint64_t> objects = {check_superblock(file)};
    while (!objects.empty()) {
        const std::uint64_t at = objects.back();
        objects.pop_back();
        const std::vector<std::uint64_t> linked = check_object(file, at);
        objects.insert(objects.end(), linked.begin(), linked.end());
    }
}

}  // namespace isogrid::archive
