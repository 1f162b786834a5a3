// Real ranks under a real mpirun, on this machine's loopback.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "archive/archive.hpp"
#include "archive/run_folder.hpp"
#include "cluster/fake_training.hpp"
#include "cluster/run/run.hpp"
#include "cluster/site/cores.hpp"
#include "cluster/sweep/progress_file.hpp"
#include "cluster/sweep/status.hpp"
#include "program/ending.hpp"
#include "scratch_folder.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using program::exit_done, program::exit_other, program::exit_bad_input, program::exit_interrupted;
using testing::HasSubstr;

namespace {

class UnderMpirun : public testing::Test {
  protected:
    /// Starts the program on `ranks` ranks (0: without mpirun), output into a file; its process.
    pid_t start(int ranks, const std::vector<std::string>& arguments) {
        std::vector<std::string> words;
        if (ranks > 0) words = {"mpirun", "-n", std::to_string(ranks), "--oversubscribe"};
        words.emplace_back(CLUSTER_MPI_PROGRAM);
        words.insert(words.end(), arguments.begin(), arguments.end());
        const pid_t child = fork();
        if (child != 0) return child;
        for (const auto& [name, value] : {std::pair{"OMPI_ALLOW_RUN_AS_ROOT", "1"},
                                          {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
                                          {"OMPI_MCA_btl_tcp_if_include", "lo"},
                                          {"OMPI_MCA_pml", "ob1"},
                                          {"OMPI_MCA_btl", "self,vader,tcp"}})
            setenv(name, value, 1);
        for (const char* name : {"SLURM_NTASKS", "SLURM_JOB_ID", "SLURM_PROCID"})
            unsetenv(name);
        if (std::freopen(output_.c_str(), "w", stdout) == nullptr || dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
            _exit(99);
        std::vector<char*> pointers;
        for (std::string& word : words)
            pointers.push_back(word.data());
        pointers.push_back(nullptr);
        execvp(pointers[0], pointers.data());
        _exit(98);
    }

    static int wait_for(pid_t process) {
        int status = 0;
        waitpid(process, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

    int run(int ranks, const std::vector<std::string>& arguments) {
        return wait_for(start(ranks, arguments));
    }

    int sweep(int ranks, std::vector<std::string> options = {}) {
        return wait_for(start_sweep(ranks, options));
    }

    pid_t start_sweep(int ranks, std::vector<std::string> options = {}) {
        options.insert(options.begin(), {"sweep", archive_.string(), corpus_.string()});
        return start(ranks, options);
    }

    std::string output() const {
        std::ifstream file(output_);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    std::string digest_and_remove() {
        const auto status = read_status(archive_);
        if (!status || status->stage != Stage::finished) return "no archive";
        std::filesystem::remove(archive_);
        return status->digest;
    }

    ScratchFolder folder_;
    std::filesystem::path output_ = folder_ / "output", archive_ = folder_ / "out.h5";
    std::filesystem::path corpus_ = test::write_small_corpus(folder_.path());
};

}  // namespace

TEST_F(UnderMpirun, groupsExchangeAndNobodyHangsWhenAMemberEnds) {
    for (const int ranks : {2, 4})
        EXPECT_EQ(run(ranks, {"exchange"}), 0) << ranks << " ranks: " << output();
}

TEST_F(UnderMpirun, endsAllRanksWhereOneHasNoMemoryBeforeTheSweep) {
    EXPECT_EQ(run(3, {"throw"}), exit_other) << output();
    EXPECT_THAT(output(), HasSubstr("rank 2: memory was not enough (an allocation failed)"));
}

TEST_F(UnderMpirun, asksForAnotherStartWhereSomeRanksDoNotSeeTheTokens) {
    for (const std::string rank : {"0", "1"}) {
        EXPECT_EQ(sweep(3, {"--rank-without-tokens", rank}), exit_other) << output();
        EXPECT_THAT(output(), HasSubstr("rank " + rank + " on "));
        EXPECT_THAT(output(), HasSubstr("gone.tok"));
    }
    EXPECT_FALSE(std::filesystem::exists(archive::RunFolder(archive_).unfit))
        << "other ranks of this host see them";
}

TEST_F(UnderMpirun, givesTheSameDigestAloneAndOnAnyNumberOfRanks) {
    ASSERT_EQ(sweep(0), exit_done) << output();
    const std::string digest = digest_and_remove();
    for (const int ranks : {2, 4}) {
        EXPECT_EQ(sweep(ranks), exit_done) << output();
        EXPECT_EQ(digest_and_remove(), digest) << ranks << " ranks";
    }
    EXPECT_EQ(sweep(5, {"--ranks-per-trial", "4"}), exit_done) << output();
    const auto read = archive::read_archive(archive_);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->trials[0].provenance.ranks, 4);
    EXPECT_EQ(digest_and_remove(), digest) << "4 ranks a trial";
}

TEST_F(UnderMpirun, givesTheSameDigestOnSeatsOfACard) {
    ASSERT_EQ(sweep(0), exit_done) << output();
    const std::string digest = digest_and_remove();
    for (const int ranks : {0, 2, 3}) {
        EXPECT_EQ(sweep(ranks, {"--seats", "3", "--measure", "no", "--seconds-per-step", "0.01"}), exit_done)
            << output();
        EXPECT_EQ(digest_and_remove(), digest) << "three seats, " << ranks << " ranks";
    }
    // Nothing is known of packing, so that ranks share trials: by the first seat of each.
    EXPECT_EQ(sweep(5, {"--seats", "3"}), exit_done) << output();
    EXPECT_EQ(digest_and_remove(), digest) << "seats and groups";
}

TEST_F(UnderMpirun, recordsTheTroubleOfASeatAndGoesOnBesideIt) {
    for (const int ranks : {0, 2}) {
        EXPECT_EQ(sweep(ranks, {"--seats", "3", "--measure", "no", "--trouble", "0"}), exit_done) << output();
        const auto read = archive::read_archive(archive_);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->trials[1].result.outcome, archive::Outcome::out_of_memory);
        EXPECT_EQ(read->trials[3].result.outcome, archive::Outcome::failed);
        for (const std::size_t trial : {0, 2, 4})
            EXPECT_EQ(read->trials[trial].result.outcome, archive::Outcome::completed);
        std::filesystem::remove(archive_);
    }
}

TEST_F(UnderMpirun, keepsEachWorkerOnItsOwnCore) {
    const Cores cores = allowed_cores();
    if (cores.size() < 2) GTEST_SKIP() << "a single core, or cores that are not ours alone";
    const int workers = static_cast<int>(cores.size());
    if (workers > 32) GTEST_SKIP() << "too many ranks to start for a test";

    // As many workers as cores: the coordinator comes on top, and has no core of its own.
    setenv("OMPI_MCA_hwloc_base_binding_policy", "none", 1);
    ASSERT_EQ(sweep(workers + 1, {"--seconds-per-step", "0.02"}), exit_done) << output();
    std::set<std::string> seen;
    const std::string lines = output();
    const std::regex line("rank (\\d+) trains on cores([ \\d]*)\n");
    for (std::sregex_iterator found(lines.begin(), lines.end(), line), end; found != end; ++found) {
        EXPECT_EQ(std::count((*found)[2].first, (*found)[2].second, ' '), 1) << found->str();
        seen.insert((*found)[1].str() + " on" + (*found)[2].str());
    }
    EXPECT_GT(seen.size(), 1u) << lines;
    std::set<std::string> cores_seen;
    for (const std::string& one : seen)
        cores_seen.insert(one.substr(one.find(" on")));
    EXPECT_EQ(cores_seen.size(), seen.size()) << "no two workers on one core, and none on two: " << lines;

    std::filesystem::remove(archive_);
    ASSERT_EQ(sweep(workers + 1, {"--pin", "no"}), exit_done) << output();
    std::string all;
    for (const int core : cores)
        all.append(" ").append(std::to_string(core));
    EXPECT_THAT(output(), HasSubstr("trains on cores" + all + "\n"));

    std::filesystem::remove(archive_);
    ASSERT_EQ(sweep(workers + 2), exit_done) << output();
    EXPECT_THAT(output(), HasSubstr("share too few cores"));
    EXPECT_THAT(output(), HasSubstr("trains on cores" + all + "\n"));
}

TEST_F(UnderMpirun, recordsTheTroubleOfAnyMemberAndGoesOn) {
    for (const std::string rank : {"0", "1"}) {
        EXPECT_EQ(sweep(3, {"--ranks-per-trial", "2", "--trouble", rank}), exit_done) << output();
        const auto read = archive::read_archive(archive_);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->trials[1].result.outcome, archive::Outcome::out_of_memory);
        EXPECT_EQ(read->trials[3].result.outcome, archive::Outcome::failed);
        EXPECT_EQ(read->trials[3].result.cause, "a disk is on fire");
        EXPECT_EQ(read->trials[4].result.outcome, archive::Outcome::completed);
        std::filesystem::remove(archive_);
    }
}

class Warned : public UnderMpirun, public testing::WithParamInterface<std::vector<std::string>> {};

TEST_P(Warned, stopsWhenSlurmWarnsAndGoesOnAfterwards) {
    ASSERT_EQ(sweep(0), exit_done) << output();
    const std::string digest = digest_and_remove();

    std::vector<std::string> options = GetParam();
    options.insert(options.end(), {"--seconds-per-step", "0.1"});
    const pid_t mpirun = start_sweep(2, options);
    const archive::RunFolder run_folder(archive_);
    for (int look = 0; look < 2000; ++look) {
        const auto progress = read_progress_file(run_folder.progress);
        if (progress && progress->state.done >= 1) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    kill(mpirun, SIGUSR1);  // mpirun hands it to every rank
    EXPECT_EQ(wait_for(mpirun), exit_interrupted) << output();
    EXPECT_THAT(output(), HasSubstr("run the same command again to go on"));
    EXPECT_FALSE(std::filesystem::exists(archive_));
    EXPECT_FALSE(std::filesystem::exists(run_folder.lock));

    EXPECT_EQ(sweep(3, GetParam()), exit_done) << output();
    EXPECT_THAT(output(), HasSubstr("done before"));
    EXPECT_EQ(digest_and_remove(), digest);
}

INSTANTIATE_TEST_SUITE_P(UnderMpirun, Warned,
                         testing::Values(std::vector<std::string>{},
                                         std::vector<std::string>{"--seats", "2", "--measure", "no"}),
                         [](const auto& options) { return options.param.empty() ? "ranks" : "seats"; });

TEST_F(UnderMpirun, goesOnAtOnceAfterCtrlC) {
    const pid_t mpirun = start_sweep(3, {"--seconds-per-step", "0.05"});
    const archive::RunFolder run_folder(archive_);
    for (int look = 0; look < 2000 && !read_progress_file(run_folder.progress); ++look)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    kill(mpirun, SIGINT);  // Ctrl-C: mpirun sends SIGTERM to the ranks, and SIGKILL a second later
    EXPECT_NE(wait_for(mpirun), exit_done) << output();
    EXPECT_FALSE(std::filesystem::exists(archive_));
    EXPECT_EQ(sweep(2), exit_done) << "whether or not the ranks had the time to let go of the lock: "
                                   << output();
}

TEST_F(UnderMpirun, goesOnAfterAKillOfAllSeats) {
    ASSERT_EQ(sweep(0), exit_done) << output();
    const std::string digest = digest_and_remove();
    const std::vector<std::string> seats = {"--seats", "3", "--measure", "no"};
    std::vector<std::string> slow = seats;
    slow.insert(slow.end(), {"--seconds-per-step", "0.05"});
    const pid_t alone = start_sweep(0, slow);
    const archive::RunFolder run_folder(archive_);
    for (int look = 0; look < 2000 && !read_progress_file(run_folder.progress); ++look)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    kill(alone, SIGKILL);
    EXPECT_EQ(wait_for(alone), -SIGKILL);
    EXPECT_FALSE(std::filesystem::exists(archive_));
    EXPECT_EQ(sweep(2, seats), exit_done) << output();
    EXPECT_EQ(digest_and_remove(), digest);
}

TEST_F(UnderMpirun, refusesGroupsLargerThanTheWorldBeforeAnythingStarts) {
    EXPECT_EQ(sweep(3, {"--ranks-per-trial", "4"}), exit_bad_input);
    EXPECT_THAT(output(), HasSubstr("4 ranks cannot train together (there are 2 workers"));
    EXPECT_FALSE(std::filesystem::exists(archive::RunFolder(archive_).root));
}
