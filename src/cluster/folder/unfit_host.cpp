#include "cluster/folder/unfit_host.hpp"

#include <fstream>
#include <system_error>

#include "archive/provenance.hpp"

namespace isogrid::cluster {

void note_unfit_host(const std::filesystem::path& folder) {
    const archive::TrialProvenance here = archive::provenance_here();
    if (here.slurm_job.empty()) return;
    std::error_code refused;
    std::filesystem::create_directories(folder, refused);
    std::ofstream(folder / here.host) << here.slurm_job << "." << here.slurm_restarts << "\n";
}

}  // namespace isogrid::cluster
