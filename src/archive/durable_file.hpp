// A file under its final name is complete and on disk, or it is not there.
// Beyond files::NewFile, two runs may write one name: a lease is asked for, and leftovers name their writer.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

namespace isogrid::archive {

/// Who writes. Two incarnations of one job can run at once (a lost link), so temporary names carry the tag
/// and whoever lost the lease to the other must not put files in place any more.
struct Writer {
    std::string tag;                          ///< host, process, job and restart: writer_tag()
    std::function<bool()> still_holder = {};  ///< asked right before a rename; empty means always
};

/// Writes `bytes` to `path` + `.tmp-` + tag, fsyncs, asks still_holder, renames to `path` and fsyncs the
/// folder; all of that at the place that a link leads to, where `path` is one. False when the writer no
/// longer holds the lease; nothing is then left behind. Throws std::runtime_error `path: problem (system's
/// reason) what to do` when the disk refuses, with nothing under the final name touched.
bool write_durably(const std::filesystem::path& path, std::span<const std::byte> bytes, const Writer& writer);

/// Content that is never in memory as a whole: calls `put` with one piece after the other.
using Put = std::function<void(std::span<const std::byte> piece)>;
using Content = std::function<void(const Put& put)>;

/// Writes durably, piece by piece. Where `content` throws, nothing is left behind either.
bool write_durably(const std::filesystem::path& path, const Content& content, const Writer& writer);

/// Removes the temporary files in `folder`, where it is there, of a file called `name`, or of all `*.h5`;
/// what cannot be removed stays. For whoever holds the lease: the writers are gone, or may no longer put
/// anything in place.
void remove_temporaries(const std::filesystem::path& folder, const std::string& name = "");

}  // namespace isogrid::archive
