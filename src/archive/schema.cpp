#include "archive/schema.hpp"

#include <cstdlib>

#include "archive/file_layout.hpp"
#include "archive/run_folder.hpp"
#include "archive/signature.hpp"
#include "archive/texts.hpp"
#include "files/durable.hpp"

namespace isogrid::archive {

namespace {

constexpr const char* keep_it = "it is left as it is; give another path, or bring back a good copy";

/// `isogrid-archive/1` -> `isogrid-archive`, 1; version 0 where there is none.
struct Stamp {
    std::string kind;
    int version = 0;
};

Stamp parse_stamp(const std::string& schema) {
    const std::size_t slash = schema.rfind('/');
    if (slash == std::string::npos) return {schema, 0};
    return {schema.substr(0, slash), std::atoi(schema.c_str() + slash + 1)};
}

base::Result<void> check_stamp(const std::string& where, const std::string& found,
                               const std::string& expected) {
    if (found == expected) return {};
    const Stamp theirs = parse_stamp(found), ours = parse_stamp(expected);
    if (theirs.kind != ours.kind)
        return base::fail(where, "is not the kind of file expected here",
                          "its schema is " + found + ", not " + expected, keep_it);
    if (theirs.version > ours.version)
        return base::fail(where, "has a newer schema than this program reads",
                          found + ", newer than " + expected, "use the isogrid that wrote it");
    return base::fail(where, "has a schema that this program does not know", found, keep_it);
}

}  // namespace

base::Result<Handle> open_any(const std::filesystem::path& path) {
    for (const char* schema : {trial_schema, segment_schema})
        if (auto file = open_checked(path, schema)) return file;
    return open_checked(path, archive_schema);
}

base::Result<Handle> open_checked(const std::filesystem::path& path, const std::string& schema) {
    const std::string where = path.string();
    std::error_code error;
    const std::filesystem::path folder = RunFolder(path).root;
    if (!std::filesystem::exists(path, error) && std::filesystem::is_directory(folder, error))
        return base::fail(where, "is not written yet",
                          "it is when its run has ended, which is kept in " + folder.string(),
                          "see isogrid status; a run that was stopped goes on when it is started again, and "
                          "isogrid-fit fits what is finished already");
    if (!std::filesystem::is_regular_file(path, error))
        return base::fail(where, "cannot be read",
                          error                                 ? error.message()
                          : std::filesystem::is_directory(path) ? "it is a folder"
                                                                : "it is no regular file",
                          "check the path");
    const std::optional<bool> hdf5 = begins_as_hdf5(path);
    if (!hdf5)
        return base::fail(where, "cannot be read", files::last_error().message(), "check its permissions");
    if (!*hdf5)
        return base::fail(where, "is not an HDF5 file", "its first bytes are not HDF5's signature", keep_it);
    const auto foreign = [&](const std::string& why) {
        return base::fail(where, "is an HDF5 file, but not of isogrid", why, keep_it);
    };
    try {
        ensure_own_layout(path);
        Handle file = open_file(path);
        if (H5Aexists(file, "schema") <= 0) return foreign("it has no attribute named schema");
        if (const auto checked = check_stamp(where, read_attribute(file, "schema"), schema); !checked)
            return tl::unexpected(checked.error());
        return file;
    } catch (const ForeignLayout& layout) {
        return foreign(layout.what());
    } catch (const Hdf5Error& hdf5_error) {
        return damaged(path, hdf5_error);
    }
}

tl::unexpected<base::Faults> damaged(const std::filesystem::path& path, const Hdf5Error& error) {
    const std::string reason = error.what();
    const bool cut_short = reason.find("truncated file") != std::string::npos;
    return base::fail(path.string(), cut_short ? "is truncated" : "is damaged", reason, keep_it);
}

}  // namespace isogrid::archive
