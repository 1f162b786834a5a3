// Where a sweep keeps what it has until the archive is merged: OUT.h5.d/ beside OUT.h5.
#pragma once

#include <filesystem>

#include "archive/run_folder.hpp"

namespace isogrid::cluster {

struct RunFolder {
    std::filesystem::path root, trials, checkpoints, attempts, progress, lock;
    std::filesystem::path unfit;  ///< hosts that lack what trials need (cluster/folder/unfit_host)
    std::filesystem::path retry;  ///< what slurm/sweep was asked to try again, a file a job, until noted
    std::filesystem::path wished_by,
        failures;                    ///< of slurm/sweep too: whose wish, and starts without success
    std::filesystem::path accepted;  ///< Slurm's job of the last start whose input was good; slurm/sweep asks
    std::filesystem::path study;     ///< what the archive will say of the study (archive/so_far)
};

inline RunFolder run_folder_of(const std::filesystem::path& archive) {
    const std::filesystem::path root = archive::run_folder(archive);
    return {root,
            archive::trials_folder(archive),
            root / "checkpoints",
            root / "attempts",
            root / "progress.json",
            root / "lock",
            root / "unfit",
            root / "retry",
            root / "retry.job",
            root / "failures",
            root / "accepted",
            archive::study_file(archive)};
}

}  // namespace isogrid::cluster
