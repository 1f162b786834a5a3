// A sweep that has not ended can be read: what is finished, once, whole, and without touching anything.
#include "archive/so_far.hpp"

#include <map>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "archive/merge.hpp"
#include "archive/run_folder.hpp"
#include "archive/sample_records.hpp"
#include "archive/segment.hpp"
#include "archive/trial_file.hpp"

namespace isogrid::archive {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

class ReadSoFar : public testing::Test {
  protected:
    void SetUp() override {
        study_.job.name = "study";
        study_.job.text = "a job file";
        study_.job.isoflop.convention = study::FlopConvention::matmul;
        study_.corpus.vocabulary = 256;
        for (std::int64_t index = 0; index < 9; ++index)
            study_.grid.trials.push_back(sample::record(index).planned);
        study_.grid.trials[8].budget = 0;
        std::filesystem::create_directories(run_folder_.trials);
    }

    std::filesystem::path put(const TrialRecord& record) {
        return *write_trial_file(run_folder_.trials, record, writer_);
    }

    SoFar read() {
        auto so_far = read_so_far(path_);
        if (!so_far) throw std::runtime_error(base::to_string(so_far.error()));
        return std::move(so_far->value());
    }

    std::vector<std::int64_t> indices() {
        std::vector<std::int64_t> indices;
        for (const TrialRecord& record : read().archive.trials)
            indices.push_back(record.index);
        return indices;
    }

    /// Every file below the folder, with its bytes.
    std::map<std::string, std::string> everything() {
        std::map<std::string, std::string> files;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path()))
            files[entry.path().string()] = entry.is_regular_file() ? sample::bytes_of(entry.path()) : "";
        return files;
    }

    const Writer writer_{"host-1-0-0", {}};
    sample::Folder folder_;
    std::filesystem::path path_ = folder_.path() / "out.h5";
    const RunFolder run_folder_{path_};
    study::Study study_;
};

TEST_F(ReadSoFar, givesWhatTheArchiveWillHoldInItsOrder) {
    put(sample::record(3));
    put(sample::record(1));
    pack_trial_files(path_, writer_, 1);
    put(sample::record(2));
    put(sample::ended(sample::record(0), Outcome::diverged, "loss"));
    const SoFar so_far = read();
    ASSERT_EQ(so_far.archive.trials.size(), 4U);
    merge(path_, study_, writer_).value();
    const Archive merged = read_archive(path_).value();
    EXPECT_EQ(so_far.archive.digest, merged.digest);
    for (std::size_t i = 0; i < merged.trials.size(); ++i) {
        sample::expect_equal(so_far.archive.trials[i], merged.trials[i]);
        EXPECT_EQ(so_far.archive.trials[i].stored_digest, merged.trials[i].stored_digest);
    }
}

TEST_F(ReadSoFar, knowsOfTheStudyWhatItsFileSays) {
    put(sample::record(1));
    EXPECT_FALSE(read().knows_study) << "earlier versions wrote no such file";
    EXPECT_EQ(read().planned, 0U);
    write_study_file(path_, study_, writer_);
    const SoFar so_far = read();
    EXPECT_TRUE(so_far.knows_study);
    EXPECT_EQ(so_far.archive.study_name, "study");
    EXPECT_EQ(so_far.archive.job_text, "a job file");
    EXPECT_EQ(so_far.archive.budget_convention, study::FlopConvention::matmul);
    EXPECT_EQ(so_far.archive.corpus.vocabulary, 256);
    EXPECT_EQ(so_far.planned, 9U);
    EXPECT_THAT(so_far.planned_of_budget, ElementsAre(Pair(1e9, 7U), Pair(2e9, 1U)));
    EXPECT_THAT(so_far.archive.trials, testing::SizeIs(1));
}

TEST_F(ReadSoFar, isNothingWithoutARunFolderAndOnceTheArchiveIsWritten) {
    put(sample::record(1));
    merge(path_, study_, writer_).value();
    EXPECT_FALSE(read_so_far(path_).value());
    EXPECT_FALSE(read_so_far(folder_.path() / "other.h5").value());
}

TEST_F(ReadSoFar, takesATrialInASegmentAndInAFileAsOneAndAResultBeforeAFailure) {
    put(sample::record(1));
    pack_trial_files(path_, writer_, 1);
    put(sample::record(1));
    TrialRecord late = sample::ended(sample::record(1), Outcome::failed, "a late failure");
    late.provenance.started_unix += 100;
    put(late);
    put(sample::ended(sample::record(2), Outcome::failed, "the node is gone"));
    const SoFar so_far = read();
    ASSERT_THAT(indices(), ElementsAre(1, 2));
    EXPECT_EQ(so_far.archive.trials[0].result.outcome, Outcome::completed);
    EXPECT_EQ(so_far.archive.trials[1].result.cause, "the node is gone");
    EXPECT_THAT(so_far.rejected, IsEmpty());
}

TEST_F(ReadSoFar, tellsWhatIsDamagedAndPassesOverWhatIsBeingWrittenOrGone) {
    put(sample::record(0));
    const auto damaged = put(sample::record(1)), unfinished = put(sample::record(2));
    const std::string good = sample::bytes_of(damaged);
    sample::put_bytes(damaged, good.substr(0, good.size() - 100));
    std::filesystem::rename(unfinished, unfinished.string() + ".tmp-host-7-0-0");
    std::filesystem::create_symlink("packed since", run_folder_.trials / "listed.h5");
    EXPECT_THAT(indices(), ElementsAre(0));
    const base::Faults rejected = read().rejected;
    ASSERT_EQ(rejected.size(), 1U) << base::to_string(rejected);
    EXPECT_EQ(rejected[0].where, damaged.string());
    EXPECT_EQ(rejected[0].problem, "is truncated");
}

TEST_F(ReadSoFar, usesTheGoodRecordsOfADamagedSegment) {
    put(sample::record(1));
    put(sample::record(2));
    pack_trial_files(path_, writer_, 1);
    const auto segment = run_folder_.segments / sample::names_in(run_folder_.segments).front();
    sample::damage_a_name(segment);
    EXPECT_THAT(indices(), ElementsAre(2));
    EXPECT_THAT(base::to_string(read().rejected), HasSubstr("trial 1 (c0-w32-d2) has a wrong digest"));
}

TEST_F(ReadSoFar, doesNotTrustADamagedStudyFile) {
    put(sample::record(1));
    sample::put_bytes(run_folder_.study, "somebody's thesis");
    EXPECT_FALSE(read().knows_study);
    EXPECT_THAT(base::to_string(read().rejected), HasSubstr("is not an HDF5 file"));
    EXPECT_THAT(indices(), ElementsAre(1));
}

TEST_F(ReadSoFar, changesNothing) {
    put(sample::record(0));
    pack_trial_files(path_, writer_, 1);
    put(sample::record(1));
    sample::put_bytes(run_folder_.trials / "damaged.h5", "no");
    sample::put_bytes(run_folder_.trials / "a.h5.tmp-host-7-0-0", "a part");
    write_study_file(path_, study_, writer_);
    const auto before = everything();
    read();
    EXPECT_EQ(everything(), before);
}

TEST_F(ReadSoFar, saysWhichFolderCannotBeRead) {
    std::filesystem::create_directories(run_folder_.root);
    sample::put_bytes(run_folder_.segments, "no folder");
    const auto so_far = read_so_far(path_);
    ASSERT_FALSE(so_far);
    EXPECT_EQ(so_far.error()[0].where, run_folder_.segments.string());
    EXPECT_EQ(so_far.error()[0].problem, "cannot be read");
}

// What is in a trial file when a reader begins may be in a segment when it comes there.
TEST_F(ReadSoFar, losesNoTrialThatIsPackedMeanwhile) {
    constexpr int rounds = 20;
    constexpr std::int64_t trials = 8;
    for (int round = 0; round < rounds; ++round) {
        for (std::int64_t index = 0; index < trials; ++index)
            put(sample::record(index));
        const pid_t packer = fork();
        if (packer == 0) {
            pack_trial_files(path_, writer_, 1);
            _exit(0);
        }
        int status = 0;
        do {
            const SoFar so_far = read();
            EXPECT_EQ(so_far.archive.trials.size(), static_cast<std::size_t>(trials));
            EXPECT_THAT(so_far.rejected, IsEmpty()) << base::to_string(so_far.rejected);
        } while (waitpid(packer, &status, WNOHANG) == 0);
        ASSERT_EQ(status, 0);
        ASSERT_THAT(sample::names_in(run_folder_.trials), IsEmpty());
        std::filesystem::remove_all(run_folder_.segments);
    }
}

TEST_F(ReadSoFar, countsResultsThatAnArchiveDoesNotHoldYet) {
    put(sample::record(1));
    put(sample::ended(sample::record(2), Outcome::failed, "the node is gone"));
    merge(path_, study_, writer_).value();
    EXPECT_EQ(results_not_in(read_archive(path_).value(), path_), 0U);
    put(sample::record(2));
    put(sample::record(3));
    put(sample::ended(sample::record(4), Outcome::failed, "the node is gone"));
    EXPECT_EQ(results_not_in(read_archive(path_).value(), path_), 2U);
    std::filesystem::remove_all(run_folder_.root);
    EXPECT_EQ(results_not_in(read_archive(path_).value(), path_), 0U);
}

TEST_F(ReadSoFar, goesWithWhatKilledWritersHaveLeftOfTheStudyFile) {
    const auto left = run_folder_.study.string() + ".tmp-node7-41-17-0";
    sample::put_bytes(left, "a part");
    write_study_file(path_, study_, writer_);
    remove_unfinished(path_);
    EXPECT_FALSE(std::filesystem::exists(left));
    EXPECT_TRUE(std::filesystem::exists(run_folder_.study));
}

}  // namespace
}  // namespace isogrid::archive
