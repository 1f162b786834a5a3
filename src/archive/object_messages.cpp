#include "archive/object_messages.hpp"

#include <array>

#include "archive/hdf5_handles.hpp"

namespace isogrid::archive {

namespace {

using namespace std::string_view_literals;

/// A number as a row or a dataset holds it: all that a type's message says of it.
struct Number {
    std::string_view encoding;
    std::uint64_t size;
};
constexpr std::array numbers = {
    Number{"\x10\x08\0\0\x08\0\0\0\0\0\x40\0"sv, 8},                              // int64
    Number{"\x11\x20\x3f\0\x08\0\0\0\0\0\x40\0\x34\x0b\0\x34\xff\x03\0\0"sv, 8},  // float64
    Number{"\x11\x20\x1f\0\x04\0\0\0\0\0\x20\0\x17\x08\0\x17\x7f\0\0\0"sv, 4}};   // float32

/// The size of a number, or of a text in UTF-8 of fixed width, ended by a zero.
std::uint64_t read_column_type(Cursor& in) {
    for (const Number& number : numbers)
        if (in.left().starts_with(number.encoding)) {
            in.take(number.encoding.size(), "a type");
            return number.size;
        }
    in.expect("\x13\x10\0\0"sv, "a type");
    const std::uint64_t size = in.number(4, "a text's width");
    if (size == 0) refuse(in.place(), "a text has no width");
    return size;
}

/// The size of an element, which may be a row: columns that follow one another without gaps.
std::uint64_t read_element_type(Cursor& in) {
    constexpr std::string_view row = "\x36"sv;
    if (!in.left().starts_with(row)) return read_column_type(in);
    in.take(row.size(), "a type");
    const std::uint64_t columns = in.number(2, "a number of columns");
    in.expect("\0"sv, "a row's type");
    const std::uint64_t size = in.number(4, "a row's size");
    std::size_t offset_width = 1;
    while (offset_width < 4 && size >> (8 * offset_width) != 0)
        ++offset_width;
    std::uint64_t end = 0;
    for (std::uint64_t column = 0; column < columns; ++column) {
        const std::size_t name = in.left().find('\0');
        if (name == 0 || name == std::string_view::npos) refuse(in.place(), "a column has no name");
        in.take(name + 1, "a column's name");
        if (in.number(offset_width, "a column's place") != end) refuse(in.place(), "columns have gaps");
        end += read_column_type(in);
    }
    if (columns == 0 || end != size) refuse(in.place(), "a row is not as long as its columns");
    return size;
}

/// The number of elements: one, or as many as a fixed extent says.
std::uint64_t read_dataspace(Cursor& in) {
    in.expect("\x02"sv, "an extent");
    const std::uint64_t dimensions = in.number(1, "an extent");
    if (dimensions == 0) {
        in.expect("\0\0"sv, "an extent");
        return 1;
    }
    if (dimensions != 1) refuse(in.place(), "an extent has several dimensions");
    in.expect("\x01\x01"sv, "an extent");
    const std::uint64_t points = in.number(8, "an extent");
    if (in.number(8, "an extent") != points) refuse(in.place(), "an extent may grow");
    return points;
}

void check_attribute(Cursor in) {
    in.expect("\x03\0"sv, "an attribute");
    const std::uint64_t name_size = in.number(2, "an attribute"), type_size = in.number(2, "an attribute"),
                        space_size = in.number(2, "an attribute");
    in.expect("\0"sv, "an attribute");
    const std::string_view name = in.take(name_size, "an attribute's name");
    if (name.find('\0') + 1 != name.size() || name.size() < 2)
        refuse(in.place(), "an attribute's name does not end where it should");
    Cursor type = in.part(type_size, "an attribute's type"),
           space = in.part(space_size, "an attribute's extent");
    const std::uint64_t size = read_column_type(type);
    type.expect_end("an attribute's type");
    if (read_dataspace(space) != 1) refuse(space.place(), "an attribute has several values");
    space.expect_end("an attribute's extent");
    in.take(size, "an attribute's value");
    in.expect_end("an attribute");
}

/// Where the object lies that is linked.
std::uint64_t read_link(Cursor in) {
    in.expect("\x01\0"sv, "a link (one into another file, perhaps)");
    in.take(in.number(1, "a link's name"), "a link's name");
    const std::uint64_t address = in.number(8, "a link");
    in.expect_end("a link");
    return address;
}

enum Message : std::uint64_t {
    nothing = 0x00,
    dataspace = 0x01,
    link_info = 0x02,
    datatype = 0x03,
    fill_value = 0x05,
    link_to = 0x06,
    data_layout = 0x08,
    group_info = 0x0A,
    attribute = 0x0C,
    attribute_info = 0x15
};

/// Refuses the second message of a kind.
template <class Said>
void once(const Said& said, const Cursor& in) {
    if (said) refuse(in.place(), "an object says something twice");
}

}  // namespace

void refuse(std::uint64_t at, std::string_view why) {
    throw Hdf5Error("cannot use the file (at byte " + std::to_string(at) + ": " + std::string(why) + ")");
}

std::string_view Cursor::take(std::size_t length, std::string_view what) {
    if (length > bytes_.size()) refuse(place_, std::string(what) + " is cut off");
    const std::string_view taken = bytes_.substr(0, length);
    bytes_.remove_prefix(length);
    place_ += length;
    return taken;
}

std::uint64_t Cursor::number(std::size_t width, std::string_view what) {
    std::uint64_t value = 0;
    const std::string_view digits = take(width, what);
    for (std::size_t i = width; i > 0; --i)
        value = value << 8 | static_cast<unsigned char>(digits[i - 1]);
    return value;
}

Cursor Cursor::part(std::size_t length, std::string_view what) {
    const std::uint64_t begin = place_;
    return {take(length, what), begin};
}

void Cursor::expect(std::string_view bytes, std::string_view what) {
    if (!bytes_.starts_with(bytes)) refuse(place_, std::string(what) + " is none that isogrid writes");
    take(bytes.size(), what);
}

void Cursor::expect_end(std::string_view what) const {
    if (!bytes_.empty()) refuse(place_, std::string(what) + " is longer than what it holds");
}

void read_message(std::uint64_t type, Cursor in, SaidOfObject& object) {
    constexpr std::string_view nowhere =
        "\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"sv;
    switch (type) {
        case dataspace:
            once(object.points, in);
            object.points = read_dataspace(in);
            break;
        case datatype:
            once(object.element_size, in);
            object.element_size = read_element_type(in);
            break;
        case fill_value: {
            once(object.fill_value, in);
            in.expect("\x03"sv, "a fill value");
            constexpr std::uint64_t defined = 0x20;
            if (in.number(1, "a fill value") & defined) refuse(in.place(), "a dataset has a fill value");
            object.fill_value = true;
            break;
        }
        case data_layout:
            once(object.data, in);
            in.expect("\x03\x01"sv, "a dataset that does not stand in one piece: its layout");
            object.data.emplace();
            object.data->at = in.number(8, "a layout");
            object.data->size = in.number(8, "a layout");
            break;
        case link_info:
            once(object.link_info, in);
            in.expect(nowhere, "a list of many links");
            object.link_info = true;
            break;
        case group_info:
            once(object.group_info, in);
            in.expect("\0\0"sv, "a group");
            object.group_info = true;
            break;
        case attribute_info:
            once(object.attribute_info, in);
            in.expect(nowhere, "a list of many attributes");
            object.attribute_info = true;
            break;
        case link_to:
            object.linked.push_back(read_link(in));
            return;
        case attribute:
            check_attribute(in);
            return;
        case nothing:
            return;
        default:
            refuse(in.place(), "a message of an object is none that isogrid writes");
    }
    in.expect_end("a message of an object");
}

}  // namespace isogrid::archive
