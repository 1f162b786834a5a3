#include "cluster/folder/unfit_host.hpp"

#include <fstream>
#include <string>
#include <system_error>

#include "archive/process_identity.hpp"

namespace isogrid::cluster {

void note_unfit_host(const std::filesystem::path& folder) {
    const std::string start = archive::slurm_start_here();
    if (start.empty()) return;
    std::error_code refused;
    std::filesystem::create_directories(folder, refused);
    std::ofstream(folder / archive::host_name()) << start << "\n";
}

}  // namespace isogrid::cluster
