#include "archive/texts.hpp"

#include <algorithm>

#include "base/digest.hpp"

namespace isogrid::archive {

namespace {

/// Reads one text of fixed width, whose type is `type`, by `read(memory type, buffer)`.
template <class Read>
std::string read_fixed_text(const Handle& type, const std::string& name, const Read& read) {
    if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 || H5Tget_size(type) == 0)
        throw Hdf5Error("cannot use " + name + " (it should be a text of fixed width)");
    std::string text(H5Tget_size(type), '\0');
    ensure(read(make_text_type(text.size()), text.data()), "read " + name);
    text.resize(std::min(text.find('\0'), text.size()));
    return text;
}

}  // namespace

void write_attribute(hid_t object, const std::string& name, const std::string& text) {
    const Handle type = make_text_type(text.size() + 1);
    const Handle scalar(H5Screate(H5S_SCALAR), &H5Sclose, "describe an attribute");
    const Handle attribute(H5Acreate2(object, name.c_str(), type, scalar, H5P_DEFAULT, H5P_DEFAULT),
                           &H5Aclose, "create the attribute " + name);
    ensure(H5Awrite(attribute, type, text.c_str()), "write the attribute " + name);
}

std::string read_attribute(hid_t object, const std::string& name) {
    const Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), &H5Aclose,
                           "find the attribute " + name);
    const Handle type(H5Aget_type(attribute), &H5Tclose, "read the attribute " + name);
    constexpr std::size_t most = 65536;  // what fits into an object header
    const Handle space(H5Aget_space(attribute), &H5Sclose, "read the attribute " + name);
    if (H5Tget_size(type) > most || H5Sget_simple_extent_npoints(space) != 1)
        throw Hdf5Error("cannot use the attribute " + name + " (one short text expected)");
    return read_fixed_text(type, name,
                           [&](hid_t memory, char* text) { return H5Aread(attribute, memory, text); });
}

void write_seal(const Handle& dataset, const std::string& sha256) {
    write_attribute(dataset, "sha256", sha256);
}

void check_seal(const Handle& dataset, const std::string& name, const std::string& sha256) {
    if (read_attribute(dataset, "sha256") != sha256)
        throw Hdf5Error("cannot use " + name + " (its bytes are not those of its sha256)");
}

void write_text(hid_t parent, const std::string& name, const std::string& text) {
    const Handle type = make_text_type(text.size() + 1);
    const Handle dataset(
        H5Dcreate2(parent, name.c_str(), type, make_space(1), H5P_DEFAULT, dataset_properties(), H5P_DEFAULT),
        &H5Dclose, "create the text " + name);
    ensure(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.c_str()), "write the text " + name);
    write_seal(dataset, base::sha256(text));
}

std::string read_text(hid_t parent, const std::string& name) {
    const Handle dataset = open_dataset(parent, name);
    ensure_contiguous(dataset, name);
    if (extent_of(dataset) != 1) throw Hdf5Error("cannot use " + name + " (one text expected)");
    const Handle type(H5Dget_type(dataset), &H5Tclose, "read the text " + name);
    std::string text = read_fixed_text(type, name, [&](hid_t memory, char* buffer) {
        return H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer);
    });
    check_seal(dataset, name, base::sha256(text));
    return text;
}

}  // namespace isogrid::archive
