// Starting again runs what is left and nothing else, whatever lies in the run folder.
#include "archive/run_folder.hpp"

#include <span>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/find_trials.hpp"
#include "archive/merge.hpp"
#include "archive/sample_records.hpp"
#include "archive/segment.hpp"
#include "archive/trial_file.hpp"
#include "base/digest.hpp"

namespace isogrid::archive {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TheRunFolder : public testing::Test {
  protected:
    void SetUp() override {
        study_.job.name = "study";
        study_.job.text = "a job file";
        for (std::int64_t index = 0; index < 4; ++index)
            study_.grid.trials.push_back(sample::record(index).planned);
        std::filesystem::create_directories(run_folder_.trials);
    }

    std::filesystem::path put(const TrialRecord& record) {
        return *write_trial_file(run_folder_.trials, record, writer_);
    }

    Found find() {
        auto found = find_trials(path_, study_.grid);
        if (!found) throw std::runtime_error(base::to_string(found.error()));
        return std::move(*found);
    }

    Merged merge_now() {
        auto merged = merge(path_, study_, writer_);
        if (!merged) throw std::runtime_error(base::to_string(merged.error()));
        return std::move(*merged);
    }

    const Writer writer_{"host-1-0-0", {}};
    sample::Folder folder_;
    std::filesystem::path path_ = folder_.path() / "out.h5";
    const RunFolder run_folder_{path_};
    study::Study study_;
};

TEST_F(TheRunFolder, liesBesideTheArchive) {
    EXPECT_EQ(RunFolder("results/out.h5").root, "results/out.h5.d");
    EXPECT_EQ(RunFolder("results/out.h5").trials, "results/out.h5.d/trials");
}

TEST_F(TheRunFolder, isOneForAllNamesOfAnArchive) {
    const std::filesystem::path link = folder_.path() / "link.h5";
    std::filesystem::create_symlink("out.h5", link);  // which is not there yet
    EXPECT_EQ(RunFolder(link).root, run_folder_.root);
}

TEST_F(TheRunFolder, isNotPassedOverWhereItLiesBesideALink) {
    const std::filesystem::path link = folder_.path() / "link.h5";
    std::filesystem::create_symlink("out.h5", link);
    const std::filesystem::path beside = link.string() + ".d";
    std::filesystem::create_directories(beside);
    EXPECT_TRUE(find_trials(link, study_.grid)) << "nothing is in it";
    std::filesystem::create_directories(beside / "trials");
    const auto found = find_trials(link, study_.grid);
    ASSERT_FALSE(found);
    EXPECT_THAT(base::to_string(found.error()),
                testing::AllOf(HasSubstr(beside.string() + ": is not the run folder of " + link.string()),
                               HasSubstr(run_folder_.root.string())));
    std::filesystem::remove_all(beside);
    std::filesystem::create_directory_symlink("out.h5.d", beside);
    EXPECT_TRUE(find_trials(link, study_.grid)) << "two names of one folder";
}

TEST_F(TheRunFolder, leavesEverythingToRunAtFirst) {
    EXPECT_THAT(remaining(find()), ElementsAre(0, 1, 2, 3));
    std::filesystem::remove_all(run_folder_.root);
    EXPECT_THAT(remaining(find()), ElementsAre(0, 1, 2, 3));
}

TEST_F(TheRunFolder, doesNotRunAgainWhatCompletedOrDiverged) {
    put(sample::record(1));
    put(sample::ended(sample::record(2), Outcome::diverged, "loss"));
    EXPECT_THAT(remaining(find()), ElementsAre(0, 3));
}

TEST_F(TheRunFolder, runsAgainWhatFailedAndKeepsItAsData) {
    put(sample::ended(sample::record(1), Outcome::failed, "the node is gone"));
    put(sample::ended(sample::record(2), Outcome::interrupted, "the allocation ended"));
    put(sample::ended(sample::record(3), Outcome::out_of_memory, "too large"));
    EXPECT_THAT(remaining(find()), ElementsAre(0, 1, 2, 3));
    merge_now();
    const auto archive = read_archive(path_, WeightsUse::keep);
    ASSERT_EQ(archive->trials.size(), 3U);
    EXPECT_EQ(archive->trials[0].result.cause, "the node is gone");
    EXPECT_THAT(remaining(find()), ElementsAre(0, 1, 2, 3));
}

TEST_F(TheRunFolder, prefersAResultToAFailureWhicheverCameFirst) {
    put(sample::record(1));
    TrialRecord late = sample::ended(sample::record(1), Outcome::failed, "a late failure");
    late.provenance.started_unix += 100;
    put(late);
    EXPECT_THAT(remaining(find()), ElementsAre(0, 2, 3));
    EXPECT_EQ(find().trials[1]->record.result.outcome, Outcome::completed);
}

TEST_F(TheRunFolder, countsWhatTheArchiveHoldsWithoutTrialFiles) {
    put(sample::record(1));
    merge_now();
    std::filesystem::remove_all(run_folder_.root);
    EXPECT_THAT(remaining(find()), ElementsAre(0, 2, 3));
}

TEST_F(TheRunFolder, mergesWhatIsNewWithWhatWasMergedBefore) {
    put(sample::record(3));
    merge_now();
    std::filesystem::remove_all(run_folder_.trials);
    std::filesystem::create_directories(run_folder_.trials);
    put(sample::record(0));
    merge_now();
    const auto archive = read_archive(path_, WeightsUse::keep);
    ASSERT_TRUE(archive);
    ASSERT_EQ(archive->trials.size(), 2U);
    sample::expect_equal(archive->trials[0], sample::record(0));
    sample::expect_equal(archive->trials[1], sample::record(3));
    EXPECT_EQ(archive->job_text, "a job file");
}

TEST_F(TheRunFolder, givesTheSameBytesHoweverTheMergeWasDone) {
    for (std::int64_t index = 0; index < 4; ++index) {
        put(sample::record(index));
        merge_now();
    }
    const std::string in_steps = sample::bytes_of(path_);
    std::filesystem::remove(path_);
    merge_now();
    EXPECT_EQ(sample::bytes_of(path_), in_steps);
}

TEST_F(TheRunFolder, doesNothingWhenTheArchiveIsFinished) {
    for (std::int64_t index = 0; index < 4; ++index)
        put(sample::record(index));
    const Merged first = merge_now();
    const auto written_at = std::filesystem::last_write_time(path_);
    const Merged second = merge_now();
    EXPECT_TRUE(first.in_place && second.in_place);
    EXPECT_EQ(std::filesystem::last_write_time(path_), written_at);
    EXPECT_THAT(remaining(find()), IsEmpty());
}

TEST_F(TheRunFolder, saysThatATrialIsOfAnotherNumericsVersion) {
    TrialRecord record = sample::record(1);
    record.planned.trial.numerics = study::numerics_version - 1;
    put(record);
    EXPECT_THAT(base::to_string(find().foreign),
                HasSubstr("of numerics version " + std::to_string(study::numerics_version - 1)));
}

TEST_F(TheRunFolder, passesOverALeftoverTemporaryFile) {
    const auto file = put(sample::record(1));
    std::filesystem::rename(file, file.string() + ".tmp-host-7-0-0");
    const Found found = find();
    EXPECT_THAT(found.rejected, IsEmpty());
    EXPECT_THAT(remaining(found), ElementsAre(0, 1, 2, 3));
}

TEST_F(TheRunFolder, reportsDamagedAndForeignFilesUsesNoneAndDeletesNone) {
    const auto damaged = put(sample::record(1));
    const std::string good = sample::bytes_of(damaged);
    sample::put_bytes(damaged, good.substr(0, good.size() - 100));
    put(sample::record(9));
    const Found found = find();
    EXPECT_THAT(remaining(found), ElementsAre(0, 1, 2, 3));
    ASSERT_EQ(found.rejected.size(), 1U);
    EXPECT_THAT(base::to_string(found.rejected), HasSubstr("is truncated"));
    ASSERT_EQ(found.foreign.size(), 1U);
    EXPECT_THAT(base::to_string(found.foreign), HasSubstr("is of a trial that is not in this study"));
    EXPECT_EQ(sample::names_in(run_folder_.trials).size(), 2U);
}

TEST_F(TheRunFolder, knowsATrialByIdentityWhenTheGridNamesItAnew) {
    put(sample::record(1));
    study_.grid.trials.insert(study_.grid.trials.begin(), sample::record(8).planned);
    study_.grid.trials[2].name = "another-name";
    const Found found = find();
    EXPECT_THAT(remaining(found), ElementsAre(0, 1, 3, 4));
    EXPECT_EQ(found.trials[2]->record.planned.name, "another-name");
    EXPECT_EQ(found.trials[2]->record.index, 2);
}

TEST_F(TheRunFolder, reportsTwoResultsOfOneTrialThatDiffer) {
    put(sample::record(1));
    merge_now();
    TrialRecord other = sample::record(1);
    other.result.validation_loss += 0.25;
    put(other);
    const Found found = find();
    EXPECT_THAT(base::to_string(found.rejected), HasSubstr("differs from another result of the same trial"));
    EXPECT_EQ(found.trials[1]->record.result.validation_loss, 3.75);
}

TEST_F(TheRunFolder, packsResultsIntoASegmentAndLeavesTheRest) {
    put(sample::record(0));
    put(sample::ended(sample::record(1), Outcome::diverged, "loss"));
    put(sample::ended(sample::record(2), Outcome::failed, "the node is gone"));
    EXPECT_EQ(pack_trial_files(path_, writer_, 3), 0U) << "too few results";
    EXPECT_EQ(pack_trial_files(path_, writer_, 2), 2U);
    EXPECT_EQ(sample::names_in(run_folder_.trials).size(), 1U);
    EXPECT_EQ(sample::names_in(run_folder_.segments).size(), 1U);
    EXPECT_THAT(remaining(find()), ElementsAre(2, 3));
    EXPECT_EQ(find().trials[2]->record.result.cause, "the node is gone");
}

TEST_F(TheRunFolder, leavesLargeFilesOutOfSegments) {
    TrialRecord large = sample::record(0);
    large.result.weights.assign(largest_packed / sizeof(float), 1.0F);
    large.result.weights_digest = base::sha256(std::as_bytes(std::span<const float>(large.result.weights)));
    const auto file = put(large);
    put(sample::record(1));
    put(sample::record(2));
    EXPECT_EQ(pack_trial_files(path_, writer_, 2), 2U);
    EXPECT_THAT(sample::names_in(run_folder_.trials), ElementsAre(file.filename().string()));
    EXPECT_THAT(remaining(find()), ElementsAre(3));
}

TEST_F(TheRunFolder, losesNothingButWhatKilledWritersHaveLeft) {
    put(sample::record(0));
    merge_now();
    const auto file = put(sample::record(1));
    std::filesystem::create_directories(run_folder_.segments);
    const std::vector<std::filesystem::path> left = {
        file.string() + ".tmp-node7-42-17-0-3", path_.string() + ".tmp-node7-41-17-0",
        run_folder_.segments / "segment-0123456789abcdef.h5.tmp-node7-41-17-0"};
    const std::vector<std::filesystem::path> others = {path_, file, path_.string() + ".tmp",
                                                       path_.parent_path() / "another.h5.tmp-node7-43-0-0",
                                                       run_folder_.trials / "of.tmp-somebody"};
    for (const auto& one : left)
        sample::put_bytes(one, "a part");
    for (const auto& one : others)
        if (!std::filesystem::exists(one)) sample::put_bytes(one, "not ours");
    remove_unfinished(path_);
    for (const auto& one : left)
        EXPECT_FALSE(std::filesystem::exists(one)) << one;
    for (const auto& one : others)
        EXPECT_TRUE(std::filesystem::exists(one)) << one;
}

TEST_F(TheRunFolder, mergesTheSameBytesFromSegmentsAndFromTrialFiles) {
    for (std::int64_t index = 0; index < 4; ++index)
        put(sample::record(index));
    merge_now();
    const std::string from_files = sample::bytes_of(path_);
    std::filesystem::remove(path_);
    std::filesystem::remove(run_folder_.trials / trial_file_name(sample::record(3)));
    pack_trial_files(path_, writer_, 1);
    put(sample::record(3));
    merge_now();
    EXPECT_EQ(sample::bytes_of(path_), from_files);
    remove_merged(path_, {});
    EXPECT_FALSE(std::filesystem::exists(run_folder_.segments));
    EXPECT_FALSE(std::filesystem::exists(run_folder_.trials));
}

// The power went after the segment was in place and before its trial files were gone.
TEST_F(TheRunFolder, takesATrialInASegmentAndInAFileAsOne) {
    const std::string bytes = sample::bytes_of(put(sample::record(1)));
    pack_trial_files(path_, writer_, 1);
    sample::put_bytes(run_folder_.trials / trial_file_name(sample::record(1)), bytes);
    EXPECT_THAT(find().rejected, IsEmpty());
    EXPECT_THAT(remaining(find()), ElementsAre(0, 2, 3));
    EXPECT_EQ(pack_trial_files(path_, writer_, 1), 1U);
    EXPECT_EQ(sample::names_in(run_folder_.segments).size(), 1U) << "the same trials, the same segment";
}

TEST_F(TheRunFolder, removesNoTrialFileWhenTheLeaseIsLost) {
    put(sample::record(1));
    EXPECT_EQ(pack_trial_files(path_, {"tag", [] { return false; }}, 1), 0U);
    EXPECT_EQ(sample::names_in(run_folder_.trials).size(), 1U);
    EXPECT_THAT(sample::names_in(run_folder_.segments), IsEmpty());
}

TEST_F(TheRunFolder, usesWhatIsGoodOfADamagedSegmentAndKeepsItsFile) {
    put(sample::record(1));
    put(sample::record(2));
    pack_trial_files(path_, writer_, 1);
    const auto segment = run_folder_.segments / sample::names_in(run_folder_.segments).front();
    const std::string bytes = sample::damage_a_name(segment);
    EXPECT_THAT(base::to_string(find().rejected), HasSubstr("trial 1 (c0-w32-d2) has a wrong digest"));
    EXPECT_THAT(remaining(find()), ElementsAre(0, 1, 3));
    remove_merged(path_, merge_now().rejected);
    EXPECT_EQ(sample::bytes_of(segment), bytes);
}

// A trunk of 100 steps, in an archive or beside it, is the beginning of the one of 200 that the study has
// now.
TEST_F(TheRunFolder, passesOverATrunkThatWasLengthened) {
    TrialRecord record = sample::record(3);
    study::Trial& trunk = record.planned.trial;
    trunk.schedule = {.kind = study::ScheduleKind::constant};
    trunk.steps = 100;
    trunk.evaluation.steps = {50, 100};
    study_.grid.trials[3] = record.planned;
    put(record);
    for (const bool merged : {false, true}) {
        if (merged) merge_now();
        study::Trial& longer = study_.grid.trials[3].trial;
        longer.steps = 200;
        longer.evaluation.steps = {50, 100, 200};
        EXPECT_THAT(find().foreign, IsEmpty());
        EXPECT_THAT(remaining(find()), ElementsAre(0, 1, 2, 3));
        longer = trunk;
    }
    study_.grid.trials[3].trial.seed += 1;
    EXPECT_THAT(base::to_string(merge(path_, study_, writer_).error()),
                HasSubstr("holds trials that are not in this study"));
}

TEST_F(TheRunFolder, neverWritesOverAnArchiveItCannotTrust) {
    put(sample::record(1));
    sample::put_bytes(path_, "somebody's thesis");
    EXPECT_THAT(base::to_string(merge(path_, study_, writer_).error()), HasSubstr("is not an HDF5 file"));
    EXPECT_EQ(sample::bytes_of(path_), "somebody's thesis");
}

TEST_F(TheRunFolder, neverWritesOverAnArchiveOfAnotherStudy) {
    put(sample::record(3));
    merge_now();
    const std::string before = sample::bytes_of(path_);
    study_.grid.trials.pop_back();
    EXPECT_THAT(base::to_string(merge(path_, study_, writer_).error()),
                HasSubstr("holds trials that are not in this study"));
    EXPECT_EQ(sample::bytes_of(path_), before);
}

}  // namespace
}  // namespace isogrid::archive
