#include "archive/run_folder.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <system_error>

#include "archive/durable_file.hpp"
#include "files/durable.hpp"
#include "files/folder.hpp"

namespace isogrid::archive {

using Path = std::filesystem::path;

RunFolder::RunFolder(const Path& archive) : root(files::behind_links(archive).string() + ".d") {}

base::Result<std::vector<Path>> finished_files(const Path& folder) {
    std::vector<Path> files;
    std::error_code error;
    std::filesystem::directory_iterator entry(folder, error);
    if (error == std::errc::no_such_file_or_directory) return files;
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
        if (entry->path().extension() == ".h5") files.push_back(entry->path());
    if (error)
        return base::fail(folder.string(), "cannot be read", error.message(),
                          "check that it is a folder, and its permissions");
    std::sort(files.begin(), files.end());
    return files;
}

void remove_unfinished(const Path& archive) {
    const RunFolder folder(archive);
    const Path place = files::behind_links(archive);
    remove_temporaries(place.parent_path(), place.filename().string());
    remove_temporaries(folder.trials);
    remove_temporaries(folder.segments);
    remove_temporaries(folder.root, folder.study.filename().string());
}

void remove_merged(const Path& archive, const base::Faults& rejected) {
    std::set<std::string> kept;
    for (const base::Fault& fault : rejected)
        kept.insert(fault.where);
    std::error_code absent_or_not_empty;
    const RunFolder folder(archive);
    for (const Path& of_results : {folder.trials, folder.segments}) {
        if (!std::filesystem::is_directory(of_results)) continue;
        std::vector<Path> merged;
        for (const auto& entry : std::filesystem::directory_iterator(of_results))
            if (!kept.contains(entry.path().string())) merged.push_back(entry.path());
        for (const Path& file : merged)
            std::filesystem::remove(file, absent_or_not_empty);
        files::remove_empty_folder(of_results);
    }
}

}  // namespace isogrid::archive
