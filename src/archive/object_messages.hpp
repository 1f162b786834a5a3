// The messages of HDF5's object headers, as far as isogrid writes them (HDF5 File Format Specification 3.0,
// IV.A.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace isogrid::archive {

/// Throws Hdf5Error for what is wrong at this byte of a file.
[[noreturn]] void refuse(std::uint64_t at, std::string_view why);

/// A part of a file, read from its beginning on. What it is told to read has a name, for the error where it
/// is not there.
class Cursor {
  public:
    Cursor(std::string_view bytes, std::uint64_t place) : bytes_(bytes), place_(place) {}

    std::uint64_t place() const { return place_; }  ///< in the file
    std::string_view left() const { return bytes_; }

    std::string_view take(std::size_t length, std::string_view what);
    std::uint64_t number(std::size_t width, std::string_view what);  ///< little-endian
    Cursor part(std::size_t length, std::string_view what);
    /// Takes `bytes`, which must be the next.
    void expect(std::string_view bytes, std::string_view what);
    void expect_end(std::string_view what) const;

  private:
    std::string_view bytes_;
    std::uint64_t place_;
};

/// What the messages of an object have said, each at most once, but for links and attributes.
struct SaidOfObject {
    struct Data {
        std::uint64_t at, size;
    };
    std::optional<std::uint64_t> points, element_size;
    std::optional<Data> data;
    std::vector<std::uint64_t> linked = {};  ///< where the objects of a group lie
    bool fill_value = false, link_info = false, group_info = false, attribute_info = false;
};

/// How the format writes an address that leads nowhere.
inline constexpr std::uint64_t undefined_address = ~std::uint64_t{0};

/// The type of the message which says that the object goes on elsewhere: that is for the caller to follow.
inline constexpr std::uint64_t continuation_message = 0x10;

/// Adds what the message of this type says, `in` its data, to what is known of the object. Throws Hdf5Error
/// for a message that isogrid does not write, or whose sizes contradict one another.
void read_message(std::uint64_t type, Cursor in, SaidOfObject& object);

}  // namespace isogrid::archive
