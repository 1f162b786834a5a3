#include "archive/hdf5_handles.hpp"

#include <algorithm>
#include <utility>

namespace isogrid::archive {

namespace {

/// Keeps the description of the innermost error: HDF5 walks from there outwards.
herr_t keep_first(unsigned depth, const H5E_error2_t* error, void* reason) {
    if (depth == 0 && error->desc) *static_cast<std::string*>(reason) = error->desc;
    return 0;
}

std::string last_reason() {
    std::string reason;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, &keep_first, &reason);
    return reason.empty() ? "HDF5 gives no reason" : reason;
}

[[noreturn]] void give_up(std::string_view wish) {
    throw Hdf5Error("cannot " + std::string(wish) + " (" + last_reason() + ")");
}

/// HDF5 prints its error stack on standard error unless told otherwise; our exceptions carry the reason. Nor
/// is it to tidy up when the program ends: handles are closed by then, and a file that could not be written
/// would crash it there.
void silence() {
    [[maybe_unused]] static const herr_t once = H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

/// Every part of the path `name` is a link inside this file.
void ensure_inside(hid_t parent, const std::string& name) {
    for (std::size_t end = name.find('/');; end = name.find('/', end + 1)) {
        const std::string part = name.substr(0, end);
        H5L_info_t link{};
        ensure(H5Lget_info(parent, part.c_str(), &link, H5P_DEFAULT), "find " + part);
        if (link.type != H5L_TYPE_HARD)
            throw Hdf5Error("cannot use " + part + " (it is a link, perhaps into another file)");
        if (end == std::string::npos) return;
    }
}

/// One superblock and object header format for all files, the one that carries checksums of its own and
/// that every HDF5 since 1.8 reads.
Handle file_access() {
    silence();
    Handle access(H5Pcreate(H5P_FILE_ACCESS), &H5Pclose, "set up file access");
    ensure(H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18), "choose the file format");
    return access;
}

}  // namespace

herr_t ensure(herr_t status, std::string_view wish) {
    if (status < 0) give_up(wish);
    return status;
}

Handle::Handle(hid_t id, Close close, std::string_view wish) : id_(id), close_(close) {
    if (id_ < 0) give_up(wish);
}

Handle::Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}

Handle& Handle::operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
}

Handle::~Handle() {
    if (id_ >= 0) close_(id_);
}

Handle create_file(const std::string& path) {
    const Handle access = file_access();
    ensure(H5Pset_fapl_stdio(access), "choose how to write");  // other drivers ask where links lead
    ensure(H5Pset_file_locking(access, /*use=*/false, /*ignore_when_disabled=*/true), "do without locks");
    const Handle creation(H5Pcreate(H5P_FILE_CREATE), &H5Pclose, "set up file creation");
    ensure(H5Pset_obj_track_times(creation, false), "leave times out of the root group");
    return {H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, access), &H5Fclose, "create a file"};
}

Handle open_file(const std::filesystem::path& path) {
    const Handle access = file_access();
    ensure(H5Pset_file_locking(access, /*use=*/false, /*ignore_when_disabled=*/true), "do without locks");
    return {H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), &H5Fclose, "open the file"};
}

Handle create_group(hid_t parent, const std::string& name) {
    const Handle creation(H5Pcreate(H5P_GROUP_CREATE), &H5Pclose, "set up a group");
    ensure(H5Pset_obj_track_times(creation, false), "leave times out of a group");
    return {H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, creation, H5P_DEFAULT), &H5Gclose,
            "create the group " + name};
}

Handle open_dataset(hid_t parent, const std::string& name) {
    ensure_inside(parent, name);
    return {H5Dopen2(parent, name.c_str(), H5P_DEFAULT), &H5Dclose, "open " + name};
}

void ensure_contiguous(const Handle& dataset, const std::string& name) {
    const Handle creation(H5Dget_create_plist(dataset), &H5Pclose, "read the layout of " + name);
    if (H5Pget_layout(creation) != H5D_CONTIGUOUS || H5Pget_external_count(creation) != 0)
        throw Hdf5Error("cannot use " + name + " (its data should stand in one piece in the file)");
    const Handle space(H5Dget_space(dataset), &H5Sclose, "read the extent of " + name);
    const Handle type(H5Dget_type(dataset), &H5Tclose, "read the type of " + name);
    const auto elements =
        static_cast<std::size_t>(std::max<hssize_t>(0, H5Sget_simple_extent_npoints(space)));
    const std::size_t element = H5Tget_size(type);
    if (elements == 0) return;
    const Handle file(H5Iget_file_id(dataset), &H5Fclose, "find the file of " + name);
    hsize_t size = 0;
    ensure(H5Fget_filesize(file, &size), "measure the file");
    const haddr_t offset = H5Dget_offset(dataset);
    if (element == 0 || offset == HADDR_UNDEF || offset > size || elements > (size - offset) / element)
        throw Hdf5Error("cannot use " + name + " (it says to hold more than the file does)");
}

Handle make_space(std::size_t extent) {
    const hsize_t size = extent;
    return {H5Screate_simple(1, &size, nullptr), &H5Sclose, "describe an extent"};
}

std::size_t extent_of(const Handle& dataset) {
    const Handle space(H5Dget_space(dataset), &H5Sclose, "read an extent");
    hsize_t extent = 0;
    if (H5Sget_simple_extent_ndims(space) != 1 || H5Sget_simple_extent_dims(space, &extent, nullptr) != 1)
        throw Hdf5Error("cannot use a dataset (it should have one dimension)");
    return extent;
}

Handle make_text_type(std::size_t size) {
    Handle type(H5Tcopy(H5T_C_S1), &H5Tclose, "describe a text");
    ensure(H5Tset_size(type, size), "size a text");
    ensure(H5Tset_strpad(type, H5T_STR_NULLTERM), "end a text");
    ensure(H5Tset_cset(type, H5T_CSET_UTF8), "name a text's encoding");
    return type;
}

Handle dataset_properties() {
    Handle creation(H5Pcreate(H5P_DATASET_CREATE), &H5Pclose, "set up a dataset");
    ensure(H5Pset_obj_track_times(creation, false), "leave times out of a dataset");
    return creation;
}

}  // namespace isogrid::archive
