// Runs from an archive: counts by convention, curves, and the trials that cannot be fitted.
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/runs/runs.hpp"
#include "archive/archive.hpp"
#include "archive/merge.hpp"
#include "archive/run_folder.hpp"
#include "archive/so_far.hpp"
#include "archive/trial_file.hpp"

namespace isogrid::analysis {
namespace {

using testing::HasSubstr;

archive::TrialRecord record(std::int64_t index) {
    archive::TrialRecord made;
    made.index = index;
    made.planned.name = "trial-" + std::to_string(index);
    made.planned.budget = 1e12;
    made.planned.trial.shape = {32 + 16 * index, 2, 2, 88, 256, 64, false};
    made.planned.trial.batch = 4;
    made.planned.trial.steps = 100;
    made.planned.trial.token_digest = std::string(64, 'a');
    made.planned.trial.evaluation = {1024, {50, 100}};
    made.planned.parameters = study::count_parameters(made.planned.trial.shape);
    made.planned.flops_per_token = study::count_flops(made.planned.trial.shape, 1e6);
    made.result.outcome = archive::Outcome::completed;
    made.result.steps_done = 100;
    const double unknown = std::numeric_limits<double>::quiet_NaN();
    const auto add_row = [&](std::int64_t step, double training, double validation, double rate) {
        archive::CurvePoint point;
        point.step = step;
        point.tokens = step * 256;
        point.flops = static_cast<double>(step) * 256e6;
        point.training_loss = training;
        point.validation_loss = validation;
        point.learning_rate = rate;
        made.result.curve.push_back(point);
    };
    add_row(0, unknown, 5.5, 0);
    add_row(50, 3.1, 3.0, 1e-3);
    add_row(75, 2.9, unknown, 1e-3);
    add_row(100, 2.7, 2.5, 1e-4);
    made.result.training_loss = 2.7;
    made.result.validation_loss = 2.5;
    made.result.bits_per_byte = 3.6;
    made.result.weights_digest = std::string(64, 'b');
    return made;
}

/// The first of these with batches of 4 to step 50 and of 8 behind it, as part of a study.
archive::TrialRecord changing_batch(const std::string& study) {
    archive::TrialRecord made = record(0);
    made.planned.studies = {study};
    study::Trial& trial = made.planned.trial;
    trial.optimizer.learning_rate = 0.01;
    trial.batch_schedule = {{.step = 50, .batch = 8, .learning_rate_factor = 2}};
    for (archive::CurvePoint& point : made.result.curve) {
        point.tokens = trial.tokens_after(point.step);
        point.noise = {.signal = 3, .variance = 0.1 * static_cast<double>(point.step)};
    }
    return made;
}

class FileOf {
  public:
    explicit FileOf(archive::TrialRecord record)
        : path_(std::filesystem::temp_directory_path() /
                ("isogrid-batch-" + std::to_string(getpid()) + ".h5")) {
        archive::Archive content;
        content.study_name = "test";
        content.job_text = "# a job";
        content.trials = {std::move(record)};
        archive::write_archive(path_, content, {"test", {}});
    }
    ~FileOf() { std::filesystem::remove(path_); }
    FileOf(const FileOf&) = delete;
    FileOf& operator=(const FileOf&) = delete;
    analysis::Run run() const {
        const auto runs = read_archive_runs({path_, ParameterConvention::total, {}, 0});
        EXPECT_TRUE(runs) << base::to_string(runs.error());
        return runs->used.at(0);
    }

  private:
    std::filesystem::path path_;
};

/// An archive of one completed and one diverged trial, gone when the test ends.
class ArchiveFile {
  public:
    ArchiveFile()
        : path_(std::filesystem::temp_directory_path() / ("isogrid-" + std::to_string(getpid()) + ".h5")) {
        archive::Archive content;
        content.study_name = "test";
        content.job_text = "# a job";
        content.trials = {record(0), record(1)};
        content.trials[1].result.outcome = archive::Outcome::diverged;
        content.trials[1].result.cause = "loss above its start";
        archive::write_archive(path_, content, {"test", {}});
    }
    ~ArchiveFile() { std::filesystem::remove(path_); }
    ArchiveFile(const ArchiveFile&) = delete;
    ArchiveFile& operator=(const ArchiveFile&) = delete;
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

TEST(ReadArchive, countsByTheBudgetsOwnConventionAndKeepsTheValidationCurve) {
    const ArchiveFile file;
    const auto runs = read_archive_runs({file.path(), ParameterConvention::total, {}, 0});
    ASSERT_TRUE(runs) << base::to_string(runs.error());
    ASSERT_EQ(runs->used.size(), 1u);
    const auto& run = runs->used[0];
    const archive::TrialRecord made = record(0);
    EXPECT_EQ(run.digest, archive::digest(made));
    EXPECT_DOUBLE_EQ(run.parameters, static_cast<double>(made.planned.parameters.total()));
    EXPECT_DOUBLE_EQ(run.tokens, 25600);
    EXPECT_DOUBLE_EQ(run.flops, 25600e6);
    EXPECT_DOUBLE_EQ(run.loss, 2.5);
    EXPECT_DOUBLE_EQ(run.bits_per_byte, 3.6);
    ASSERT_EQ(run.curve.size(), 2u);  // neither the start nor the row without an evaluation
    EXPECT_DOUBLE_EQ(run.curve[0].flops, 12800e6);
    ASSERT_EQ(run.rates.size(), 3u) << "of the row without an evaluation too";
    EXPECT_DOUBLE_EQ(run.rates[1].step, 75);
    EXPECT_DOUBLE_EQ(run.rates[1].learning_rate, 1e-3);
    EXPECT_THAT(runs->conventions.flops, HasSubstr("exact"));
}

TEST(ReadArchive, countsFromWhereABatchLeavesItsTrunk) {
    const auto run = FileOf(changing_batch("critical_batch")).run();
    EXPECT_EQ(run.batch, 8 * 64);
    EXPECT_EQ(run.steps, 50);
    EXPECT_DOUBLE_EQ(run.tokens, 50 * 8 * 64);
    EXPECT_DOUBLE_EQ(run.flops, 1e6 * run.tokens);
    EXPECT_EQ(run.learning_rate, 0.02);
    ASSERT_EQ(run.curve.size(), 1u) << "step 50 is the trunk's";
    EXPECT_DOUBLE_EQ(run.curve[0].step, 50);
    ASSERT_EQ(run.rates.size(), 2u) << "from there too";
    EXPECT_DOUBLE_EQ(run.rates[0].step, 25);
    EXPECT_DOUBLE_EQ(run.curve[0].tokens, run.tokens);
    EXPECT_DOUBLE_EQ(run.curve[0].noise_signal, 50 * 3);
    EXPECT_DOUBLE_EQ(run.curve[0].noise_variance, 25 * (7.5 + 10) * 64) << "rows at 75 and 100, in tokens";
}

TEST(ReadArchive, saysThatRunsOfOneTrunkShareItsLuck) {
    const auto notes_of = [](const char* archive) {
        ArchiveRequest request;
        request.file = std::string(ISOGRID_SOURCE_DIR "/analysis/example/") + archive;
        return read_archive_runs(request).value().notes;
    };
    EXPECT_THAT(notes_of("isoflop-trunks.h5"),
                testing::Contains(testing::HasSubstr("39 runs of isoflop branch from 8 trunks")));
    EXPECT_THAT(notes_of("isoflop-cosine.h5"),
                testing::Not(testing::Contains(testing::HasSubstr("branch from"))));
}

TEST(ReadArchive, hasNoOneBatchOfARamp) {
    const auto run = FileOf(changing_batch("batch_ramp")).run();
    EXPECT_FALSE(run.batch);
    EXPECT_EQ(run.steps, 100);
    EXPECT_DOUBLE_EQ(run.tokens, (50 * 4 + 50 * 8) * 64);
    EXPECT_EQ(run.curve.size(), 2u);
}

TEST(ReadArchive, rejectsWhatDidNotComplete) {
    const ArchiveFile file;
    const auto runs = read_archive_runs({file.path(), ParameterConvention::total, {}, 0});
    ASSERT_TRUE(runs);
    ASSERT_EQ(runs->rejected.size(), 1u);
    EXPECT_EQ(runs->rejected[0].name, "trial-1");
    EXPECT_EQ(runs->rejected[0].reason, "diverged: loss above its start");
}

TEST(ReadArchive, canBeReadUnderOtherConventions) {
    const ArchiveFile file;
    const auto runs =
        read_archive_runs({file.path(), ParameterConvention::non_embedding, study::FlopConvention::six_n, 0});
    ASSERT_TRUE(runs);
    const archive::TrialRecord made = record(0);
    EXPECT_DOUBLE_EQ(runs->used[0].parameters, static_cast<double>(made.planned.parameters.non_embedding()));
    EXPECT_DOUBLE_EQ(runs->used[0].flops, 6.0 * static_cast<double>(made.planned.parameters.total()) * 25600);
    EXPECT_THAT(runs->notes.front(), HasSubstr("budgets were set in the convention exact"));
}

TEST(ReadArchive, saysWhenThereIsNoFileOrNoArchiveInIt) {
    EXPECT_THAT(base::to_string(read_archive_runs({"/nowhere/a.h5", {}, {}, 0}).error()),
                HasSubstr("cannot be read"));
    EXPECT_FALSE(read_archive_runs({"/proc/self/status", {}, {}, 0}));
}

/// The run folder of a sweep of three trials, one budget and one without, that has not ended.
class Sweep {
  public:
    Sweep() {
        std::filesystem::create_directories(archive::RunFolder(path_).trials);
        study_.job.isoflop.convention = study::FlopConvention::matmul;
        for (std::int64_t index = 0; index < 3; ++index)
            study_.grid.trials.push_back(record(index).planned);
        study_.grid.trials[2].budget = 0;
    }
    ~Sweep() {
        std::filesystem::remove_all(archive::RunFolder(path_).root);
        std::filesystem::remove(path_);
    }
    Sweep(const Sweep&) = delete;
    Sweep& operator=(const Sweep&) = delete;

    void begin() { archive::write_study_file(path_, study_, writer_); }
    void put(const archive::TrialRecord& record) {
        archive::write_trial_file(archive::RunFolder(path_).trials, record, writer_);
    }
    void end() { archive::merge(path_, study_, writer_).value(); }
    base::Result<Runs> read() const { return read_archive_runs({path_, {}, {}, 0}); }
    const std::filesystem::path& path() const { return path_; }

  private:
    const archive::Writer writer_{"test", {}};
    std::filesystem::path path_ =
        std::filesystem::temp_directory_path() / ("isogrid-sweep-" + std::to_string(getpid()) + ".h5");
    study::Study study_;
};

TEST(ReadSweep, saysHowManyTrialsAndWhichBudgetsAreFinished) {
    Sweep sweep;
    sweep.begin();
    sweep.put(record(1));
    std::ofstream(archive::RunFolder(sweep.path()).trials / "broken.h5") << "no";
    auto runs = sweep.read();
    ASSERT_TRUE(runs) << base::to_string(runs.error());
    EXPECT_EQ(runs->unfinished,
              "the sweep has not ended: 1 of its 3 trials are finished, and those to come may change what is "
              "fitted");
    EXPECT_THAT(runs->notes, testing::Contains("budgets with all of their trials: none; with some of them: "
                                               "1.00e+12 (1 of 2)"));
    EXPECT_THAT(runs->notes,
                testing::Contains(HasSubstr("the digest is that of an archive of these trials")));
    EXPECT_THAT(runs->conventions.flops, HasSubstr("matmul")) << "as its study file says";
    ASSERT_EQ(runs->rejected.size(), 1u);
    EXPECT_EQ(runs->rejected[0].name, "broken.h5");
    EXPECT_THAT(runs->rejected[0].reason, HasSubstr("is not an HDF5 file"));

    sweep.put(record(0));
    runs = sweep.read();
    EXPECT_THAT(runs->unfinished, HasSubstr("2 of its 3 trials"));
    EXPECT_THAT(runs->notes, testing::Contains("budgets with all of their trials: 1.00e+12"));
}

TEST(ReadSweep, givesTheRunsThatTheArchiveGivesInTheEnd) {
    Sweep sweep;
    sweep.begin();
    sweep.put(record(1));
    sweep.put(record(0));
    const Runs early = sweep.read().value();
    sweep.end();
    const Runs late = sweep.read().value();
    EXPECT_EQ(late.unfinished, "");
    EXPECT_EQ(early.conventions.flops, late.conventions.flops);
    ASSERT_EQ(early.used.size(), late.used.size());
    for (std::size_t i = 0; i < late.used.size(); ++i) {
        EXPECT_EQ(early.used[i].digest, late.used[i].digest);
        EXPECT_EQ(early.used[i].flops, late.used[i].flops);
        EXPECT_EQ(early.used[i].loss, late.used[i].loss);
    }
}

TEST(ReadSweep, takesTheConventionExactWhereAnEarlierVersionDidNotSay) {
    Sweep sweep;
    sweep.put(record(1));
    const Runs runs = sweep.read().value();
    EXPECT_THAT(runs.unfinished, HasSubstr("the sweep has not ended: 1 trial is finished"));
    EXPECT_THAT(runs.conventions.flops, HasSubstr("exact"));
    EXPECT_THAT(runs.notes, testing::Contains(HasSubstr("is missing (earlier versions wrote none)")));
}

TEST(ReadSweep, saysWhenNothingIsFinishedYet) {
    Sweep sweep;
    sweep.begin();
    EXPECT_THAT(base::to_string(sweep.read().error()), HasSubstr("has no finished trial yet"));
}

TEST(ReadSweep, saysThatNewerResultsAreNotInTheArchive) {
    Sweep sweep;
    sweep.put(record(0));
    sweep.end();
    sweep.put(record(1));
    const Runs runs = sweep.read().value();
    EXPECT_EQ(runs.used.size(), 1u);
    EXPECT_EQ(runs.unfinished, "");
    EXPECT_THAT(runs.notes, testing::Contains(HasSubstr("holds 1 trial finished since")));
}

}  // namespace
}  // namespace isogrid::analysis
