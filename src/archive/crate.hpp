// An archive as an RO-Crate: a folder that says of itself what it holds, for repositories of research data.
#pragma once

#include <filesystem>
#include <string>

#include "archive/archive.hpp"
#include "base/fault.hpp"

namespace isogrid::archive {

/// The text of `ro-crate-metadata.json`: RO-Crate 1.1 (https://w3id.org/ro/crate/1.1), with the archive, its
/// job file and its token file by their SHA-256, and the sweep as a CreateAction whose instrument is the
/// revision of isogrid that trained the trials. A pure function of its arguments: the date is that of the
/// last trial's end. `name` and `bytes`: of the archive's file; `license`: an address, or empty.
std::string crate_metadata(const Archive& archive, const std::string& name, std::uintmax_t bytes,
                           const std::string& sha256, const std::string& license);

/// Makes `folder` a crate: the archive (a hard link where the file system can, else a copy), `job.toml` as
/// the archive keeps it, and ro-crate-metadata.json. Fails where the archive is not whole or the folder is
/// there already; throws std::runtime_error when the disk refuses.
base::Result<void> write_crate(const std::filesystem::path& archive, const std::filesystem::path& folder,
                               const std::string& license, const Writer& writer);

}  // namespace isogrid::archive
