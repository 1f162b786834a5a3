// slurm/sweep leaves out what is noted here (tests/slurm/crashing_nodes_are_left_out.sh).
#include "cluster/folder/unfit_host.hpp"

#include <cstdlib>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "archive/process_identity.hpp"
#include "scratch_folder.hpp"

namespace isogrid::cluster {

TEST(UnfitHost, isNotedForThisStartOfItsSlurmJob) {
    const ScratchFolder folder;
    const std::filesystem::path unfit = folder / "unfit";
    note_unfit_host(unfit);
    EXPECT_FALSE(std::filesystem::exists(unfit)) << "outside of Slurm there is nobody to read it";
    setenv("SLURM_JOB_ID", "7", 1);
    setenv("SLURM_RESTART_COUNT", "2", 1);
    note_unfit_host(unfit);
    note_unfit_host(unfit);  // another rank of this host
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_RESTART_COUNT");
    std::ifstream note(unfit / archive::host_name());
    const std::string text{std::istreambuf_iterator<char>(note), {}};
    EXPECT_EQ(text, "7.2\n");
}

}  // namespace isogrid::cluster
