// A sweep alone, in this process: what stands on disk after each way it can end.
#include "cluster/run/run.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "archive/archive.hpp"
#include "archive/run_folder.hpp"
#include "archive/segment.hpp"
#include "archive/trial_file.hpp"
#include "cluster/fake_training.hpp"
#include "cluster/folder/lock.hpp"
#include "cluster/run/alone.hpp"
#include "cluster/run/conclude.hpp"
#include "cluster/run/refusals.hpp"
#include "cluster/run/words.hpp"
#include "cluster/site/clocks.hpp"
#include "cluster/small_study.hpp"
#include "cluster/sweep/status.hpp"
#include "program/ending.hpp"
#include "scratch_folder.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using program::exit_done, program::exit_other, program::exit_bad_input, program::exit_interrupted;
using test::FakeTraining;
using test::Trouble;
using testing::HasSubstr;
using testing::Not;

namespace {

class RunAlone : public testing::Test {
  protected:
    RunAlone() : study_(test::study_of({4e9, 3e9, 2e9, 1e9}, 4)) {
        study_.job.token_file = test::write_small_corpus(folder_.path());
    }

    /// What `isogrid run` would return; its words are in output_ and errors_.
    int run(const TrainTrial& training) {
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        const int code = run_sweep({.study = study_,
                                    .archive = archive_,
                                    .train = training,
                                    .instruction_set = "none",
                                    .retry = retry_,
                                    .alone = true},
                                   session_);
        output_ = testing::internal::GetCapturedStdout();
        errors_ = testing::internal::GetCapturedStderr();
        return code;
    }

    archive::Archive archive() const {
        auto read = archive::read_archive(archive_, archive::WeightsUse::keep);
        if (!read) throw std::runtime_error(base::to_string(read.error()));
        return std::move(*read);
    }

    std::string bytes() const {
        std::ifstream file(archive_, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    std::set<archive::Outcome> retry_;
    ScratchFolder folder_;
    study::Study study_;
    std::filesystem::path archive_ = folder_ / "out.h5";
    archive::RunFolder run_folder_{archive_};
    MpiSession session_;
    std::string output_, errors_;
};

/// Sends this process `signal` at a step of a trial: what Ctrl-C or Slurm does.
FakeTraining interrupted_at(int trial, int signal) {
    FakeTraining training;
    training.on_step = [trial, signal, started = std::make_shared<int>(0)](int step) {
        if (step == 1) ++*started;
        if (*started == trial && step == 5) std::raise(signal);
    };
    return training;
}

}  // namespace

TEST_F(RunAlone, trainsEveryTrialAndLeavesOnlyTheArchive) {
    EXPECT_EQ(run(FakeTraining()), exit_done) << errors_;
    const archive::Archive written = archive();
    ASSERT_EQ(written.trials.size(), 4u);
    EXPECT_EQ(written.trials[2].planned, study_.grid.trials[2]);
    EXPECT_EQ(written.trials[2].result.weights.size(), 1000u);
    EXPECT_EQ(written.job_text, study_.job.text);
    EXPECT_TRUE(std::any_of(written.build.begin(), written.build.end(),
                            [](const archive::Fact& fact) { return fact.name == "sweep_idle_share"; }));
    EXPECT_FALSE(std::filesystem::exists(run_folder_.root));
    EXPECT_THAT(output_, HasSubstr("4/4 t3 completed"));
    EXPECT_THAT(output_, HasSubstr("digest " + archive::archive_digest(written.trials)));
}

TEST_F(RunAlone, hasNothingToDoOnAFinishedArchive) {
    ASSERT_EQ(run(FakeTraining()), exit_done);
    const std::string before = bytes();
    FakeTraining never;
    never.on_step = [](int) { FAIL() << "a finished trial was trained again"; };
    EXPECT_EQ(run(never), exit_done);
    EXPECT_THAT(output_, HasSubstr("nothing to do"));
    EXPECT_EQ(bytes(), before);
    EXPECT_FALSE(std::filesystem::exists(run_folder_.root));
}

TEST_F(RunAlone, keepsWhatIsFinishedWhenInterruptedAndGoesOnFromThere) {
    ASSERT_EQ(run(FakeTraining()), exit_done);
    const std::string uninterrupted = archive::archive_digest(archive().trials);
    std::filesystem::remove(archive_);

    for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) {
        EXPECT_EQ(run(interrupted_at(2, signal)), exit_interrupted) << errors_;
        EXPECT_THAT(output_, HasSubstr("interrupted (by a signal): "));
        EXPECT_THAT(output_, HasSubstr("run the same command again"));
        EXPECT_FALSE(std::filesystem::exists(archive_));
        EXPECT_FALSE(read_lock(run_folder_.lock));
    }
    // Each run finished one trial before the signal came in its second.
    int steps = 0;
    FakeTraining counting;
    counting.on_step = [&](int) { ++steps; };
    EXPECT_EQ(run(counting), exit_done);
    EXPECT_EQ(steps, 10) << "one trial of 10 steps was left";
    EXPECT_EQ(archive::archive_digest(archive().trials), uninterrupted);
}

TEST_F(RunAlone, doesNotCallDoneWhatWasTakenAwayMeanwhile) {
    ASSERT_EQ(run(FakeTraining()), exit_done);
    const std::string undisturbed = archive::archive_digest(archive().trials);
    std::filesystem::remove(archive_);

    ASSERT_EQ(run(interrupted_at(3, SIGINT)), exit_interrupted) << errors_;
    FakeTraining training;
    bool taken_away = false;
    training.on_step = [&](int) {
        if (!std::exchange(taken_away, true))  // a result of the run before
            std::filesystem::remove(std::filesystem::directory_iterator(run_folder_.trials)->path());
    };
    EXPECT_EQ(run(training), exit_interrupted);
    EXPECT_THAT(errors_, HasSubstr("1 of 4 trials is gone"));
    EXPECT_FALSE(std::filesystem::exists(archive_));
    EXPECT_EQ(run(FakeTraining()), exit_done) << errors_;
    EXPECT_EQ(archive::archive_digest(archive().trials), undisturbed);
}

TEST_F(RunAlone, triesFailuresTwiceRecordsThemAsDataAndAgainWhenAskedTo) {
    FakeTraining training;
    std::map<int, int> fifth_steps;
    training.on_step = [&](int step) { ++fifth_steps[step]; };
    training.troubles = {{0, Trouble::no_memory}, {1, Trouble::exception}, {2, Trouble::divergence}};
    EXPECT_EQ(run(training), exit_done) << "one bad trial never stops a sweep";
    EXPECT_THAT(output_, HasSubstr("2 trials failed"));
    EXPECT_EQ(fifth_steps[5], 5) << "one for each trial, and a second attempt at the one that threw";
    auto trials = archive().trials;
    ASSERT_EQ(trials.size(), 4u);
    EXPECT_EQ(trials[0].result.outcome, archive::Outcome::out_of_memory);
    EXPECT_EQ(trials[1].result.outcome, archive::Outcome::failed);
    EXPECT_EQ(trials[1].result.cause, "a disk is on fire");
    EXPECT_EQ(trials[2].result.outcome, archive::Outcome::diverged);
    EXPECT_EQ(trials[3].result.outcome, archive::Outcome::completed);

    EXPECT_EQ(run(FakeTraining()), exit_done);
    EXPECT_THAT(output_, HasSubstr("nothing to do"));
    EXPECT_THAT(output_, HasSubstr("2 trials failed (isogrid status says why) add --retry failed"));
    retry_ = {archive::Outcome::failed};
    EXPECT_EQ(run(FakeTraining()), exit_done);
    EXPECT_EQ(archive().trials[0].result.outcome, archive::Outcome::out_of_memory);
    EXPECT_EQ(archive().trials[1].result.outcome, archive::Outcome::completed);
    retry_ = {archive::Outcome::out_of_memory};
    EXPECT_EQ(run(FakeTraining()), exit_done);
    trials = archive().trials;
    EXPECT_EQ(trials[0].result.outcome, archive::Outcome::completed);
    EXPECT_EQ(trials[1].result.outcome, archive::Outcome::completed);
    EXPECT_EQ(trials[2].result.outcome, archive::Outcome::diverged) << "a result, not a failure";
}

TEST_F(RunAlone, setsATrialAsideThatHasCrashedTwice) {
    const study::PlannedTrial& poison = study_.grid.trials[1];
    std::filesystem::create_directories(run_folder_.attempts);
    std::ofstream(run_folder_.attempts / archive::trial_file_stem(poison))
        << "crashed node1 1 SIGSEGV\ncrashed node2 1 SIGSEGV\n";
    int steps = 0;
    FakeTraining counting;
    counting.on_step = [&](int) { ++steps; };
    EXPECT_EQ(run(counting), exit_done) << errors_;
    EXPECT_EQ(steps, 30);
    EXPECT_EQ(archive().trials[1].result.outcome, archive::Outcome::failed);
    EXPECT_EQ(archive().trials[1].result.cause,
              "its program crashed 2 times (the last: crashed on node2: SIGSEGV)");
    EXPECT_THAT(status_text(*read_status(archive_)), HasSubstr("t1: failed (its program crashed 2 times"));

    retry_ = {archive::Outcome::failed};
    EXPECT_EQ(run(FakeTraining()), exit_done);
    EXPECT_EQ(archive().trials[1].result.outcome, archive::Outcome::completed);
}

TEST_F(RunAlone, stopsByItselfBeforeTheAllocationEnds) {
    setenv("SLURM_JOB_END_TIME", std::to_string(std::time(nullptr) + 100000).c_str(), 1);
    EXPECT_EQ(run(FakeTraining()), exit_done);
    std::filesystem::remove(archive_);
    setenv("SLURM_JOB_END_TIME", std::to_string(std::time(nullptr) - 1).c_str(), 1);  // of an old salloc, say
    EXPECT_EQ(run(FakeTraining()), exit_interrupted);
    EXPECT_FALSE(std::filesystem::exists(archive_));
    unsetenv("SLURM_JOB_END_TIME");
}

TEST_F(RunAlone, stopsWhereNothingThatIsLeftCanEndInTime) {
    Sweep sweep(study_, test::all_of(study_), 0, 1);
    for (const int trial : test::all_of(study_))
        sweep.measured(trial, /*seconds_per_step=*/100);
    sweep.ends_at(steady_seconds() + 30, /*least_worth=*/60);
    const auto tokens = data::TokenFile::open(study_.job.token_file);
    FakeTraining never;
    never.on_step = [](int) { FAIL() << "a trial of 1000 s was started in the last half minute"; };
    const Workplace workplace{
        .study = study_, .tokens = *tokens, .folder = run_folder_, .train = never, .instruction_set = "none"};
    train_alone(sweep, workplace, {}, {});
    EXPECT_TRUE(sweep.stopped());
    EXPECT_EQ(sweep.state(0).done, 0);
}

TEST_F(RunAlone, refusesAnArchiveOfAnotherJobAndTouchesNothing) {
    ASSERT_EQ(run(FakeTraining()), exit_done);
    const std::string before = bytes();
    study_.grid.trials[0].trial.optimizer.learning_rate = 0.5;
    EXPECT_EQ(run(FakeTraining()), exit_bad_input);
    EXPECT_THAT(errors_, HasSubstr("out.h5: holds trials that are not in this study"));
    EXPECT_EQ(bytes(), before);
    EXPECT_FALSE(std::filesystem::exists(run_folder_.root));
}

TEST_F(RunAlone, notesInWhichSlurmJobItsInputWasGood) {
    const auto note = [&] {
        std::ifstream file(run_folder_.accepted);
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    ASSERT_EQ(run(interrupted_at(2, SIGTERM)), exit_interrupted);
    EXPECT_EQ(note(), "\n") << "outside of Slurm";
    setenv("SLURM_JOB_ID", "17", 1);
    EXPECT_EQ(run(interrupted_at(2, SIGTERM)), exit_interrupted);
    unsetenv("SLURM_JOB_ID");
    EXPECT_EQ(note(), "17\n");
    std::filesystem::remove(run_folder_.accepted);
    const study::Study good = study_;
    study_.grid.trials[0].trial.optimizer.learning_rate = 0.5;
    EXPECT_EQ(run(FakeTraining()), exit_bad_input);
    EXPECT_EQ(note(), "");
    study_ = good;
    EXPECT_EQ(run(FakeTraining()), exit_done) << errors_;
    EXPECT_FALSE(std::filesystem::exists(run_folder_.root));
}

TEST_F(RunAlone, refusesARunFolderOfAnotherJob) {
    ASSERT_EQ(run(interrupted_at(2, SIGTERM)), exit_interrupted);
    study_.grid.trials[0].trial.optimizer.learning_rate = 0.5;
    EXPECT_EQ(run(FakeTraining()), exit_bad_input);
    EXPECT_THAT(errors_, HasSubstr("is of a trial that is not in this study"));
    EXPECT_FALSE(std::filesystem::exists(archive_));
}

TEST_F(RunAlone, trainsAgainWhatIsDamaged) {
    ASSERT_EQ(run(interrupted_at(3, SIGTERM)), exit_interrupted);
    auto file = std::filesystem::directory_iterator(run_folder_.trials)->path();
    std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
    EXPECT_EQ(run(FakeTraining()), exit_done) << errors_;
    EXPECT_THAT(output_, HasSubstr("not used: " + file.string()));
    EXPECT_EQ(archive().trials.size(), 4u);
    EXPECT_FALSE(std::filesystem::exists(run_folder_.root));
}

// Run folders, or the checkpoints in them, are linked to a scratch disk.
TEST_F(RunAlone, leavesLinkedFoldersInTheirPlaceWhenASecondRunIsRefused) {
    for (const auto& linked : {run_folder_.root, run_folder_.checkpoints}) {
        std::filesystem::create_directories(folder_ / "scratch");
        std::filesystem::create_directories(linked.parent_path());
        std::filesystem::create_directory_symlink(folder_ / "scratch", linked);
        FakeTraining training = interrupted_at(2, SIGTERM);
        ASSERT_EQ(run(training), exit_interrupted) << errors_;
        {
            const auto lock = Lock::take(run_folder_.lock);
            ASSERT_TRUE(lock);
            EXPECT_EQ(run(FakeTraining()), exit_bad_input);
        }
        EXPECT_TRUE(std::filesystem::is_symlink(linked));
        EXPECT_EQ(run(FakeTraining()), exit_done) << errors_;
        EXPECT_THAT(output_, Not(HasSubstr("of 4 trials left")));
        EXPECT_TRUE(std::filesystem::is_symlink(linked)) << "its folder is empty, and no business of ours";
        EXPECT_TRUE(std::filesystem::is_empty(folder_ / "scratch"));
        std::filesystem::remove(linked);
        std::filesystem::remove_all(run_folder_.root);
        std::filesystem::remove(archive_);
    }
}

TEST_F(RunAlone, refusesWhileAnotherRunHoldsTheArchive) {
    const auto its_folders = {run_folder_.trials, run_folder_.checkpoints, run_folder_.attempts};
    for (const auto& folder : its_folders)  // empty, as before its first checkpoint
        std::filesystem::create_directories(folder);
    const auto lock = Lock::take(run_folder_.lock);
    ASSERT_TRUE(lock);
    EXPECT_EQ(run(FakeTraining()), exit_bad_input);
    EXPECT_THAT(errors_, HasSubstr("another run works on this archive"));
    EXPECT_TRUE(lock->held());
    for (const auto& folder : its_folders)
        EXPECT_TRUE(std::filesystem::exists(folder)) << folder << ": the other run saves there";
}

TEST_F(RunAlone, forgetsNoAttemptsWhileAnotherRunHoldsTheArchive) {
    const FakeTraining training{.troubles = {{1, Trouble::exception}}};
    ASSERT_EQ(run(training), exit_done);
    const auto notes = run_folder_.attempts / archive::trial_file_stem(study_.grid.trials[1]);
    std::filesystem::create_directories(run_folder_.attempts);
    std::ofstream(notes) << "failed node1 1 a disk is on fire\n";
    std::filesystem::create_directories(run_folder_.retry);
    for (const char* job : {"7", "8"})  // as slurm/sweep leaves them, until they are noted
        std::ofstream(run_folder_.retry / job) << "failed\n";
    setenv("ISOGRID_WISHES", "7 ", 1);  // 8 has wished since
    retry_ = {archive::Outcome::failed};
    {
        const auto lock = Lock::take(run_folder_.lock);
        ASSERT_TRUE(lock);
        EXPECT_EQ(run(FakeTraining()), exit_bad_input);
        EXPECT_TRUE(std::filesystem::exists(notes));
    }
    retry_ = {};
    EXPECT_EQ(run(FakeTraining()), exit_done);
    EXPECT_TRUE(std::filesystem::exists(run_folder_.retry / "7"))
        << "a run that was not asked has not heard it";
    retry_ = {archive::Outcome::failed};
    EXPECT_EQ(run(FakeTraining()), exit_done);
    EXPECT_EQ(archive().trials[1].result.outcome, archive::Outcome::completed);
    EXPECT_FALSE(std::filesystem::exists(run_folder_.retry / "7"));
    EXPECT_TRUE(std::filesystem::exists(run_folder_.retry / "8")) << "a wish that this run was not told of";
    setenv("ISOGRID_WISHES", "8 ", 1);
    EXPECT_EQ(run(FakeTraining()), exit_done);
    unsetenv("ISOGRID_WISHES");
    EXPECT_FALSE(std::filesystem::exists(run_folder_.root));
}

TEST_F(RunAlone, goesOnWhereTrialFilesFindNoRoomForASegment) {
    study_ = test::study_of(std::vector<double>(archive::trials_a_segment + 1, 1e9));
    study_.job.token_file = test::write_small_corpus(folder_.path());
    std::filesystem::create_directories(run_folder_.root);
    std::ofstream(run_folder_.root / "segments") << "no folder can be made here";
    EXPECT_EQ(run(FakeTraining()), exit_done) << errors_;
    EXPECT_THAT(output_, HasSubstr("trial files are not packed: "));
    EXPECT_EQ(archive().trials.size(), archive::trials_a_segment + 1);
}

TEST_F(RunAlone, clearsUpAfterRunsThatWereKilledWhileTheyWrote) {
    ASSERT_EQ(run(interrupted_at(2, SIGTERM)), exit_interrupted);
    const std::string tag = ".tmp-node7-42-17-0";
    const std::vector<std::filesystem::path> left = {run_folder_.trials / ("t1-0123456789ab.h5" + tag),
                                                     run_folder_.checkpoints / ("t1.000000000005.h5" + tag),
                                                     archive_.string() + tag};
    for (const auto& file : left)
        std::ofstream(file) << "a part";
    ASSERT_EQ(run(interrupted_at(2, SIGTERM)), exit_interrupted);
    for (const auto& file : left)
        EXPECT_FALSE(std::filesystem::exists(file)) << file << " is there for as long as the sweep";
    // What is left to do is to merge: nothing writes progress any more.
    FakeTraining training;
    training.on_step = [&](int) { std::ofstream(run_folder_.progress.string() + ".new") << "a part"; };
    EXPECT_EQ(run(training), exit_done);
    std::filesystem::create_directories(run_folder_.trials);
    std::ofstream(run_folder_.progress.string() + ".new") << "a part";
    EXPECT_EQ(run(FakeTraining()), exit_done);
    EXPECT_FALSE(std::filesystem::exists(run_folder_.root));
}

TEST_F(RunAlone, clearsUpWhatKilledRunsAndTheBatchScriptHaveLeft) {
    std::filesystem::create_directories(run_folder_.root);
    for (const char* name : {"failures", "retry.job", "accepted"})
        std::ofstream(run_folder_.root / name) << "1\n";
    for (const char* name : {"lock.node7-1-2", "lock.stale.node7-1-2"}) {
        std::ofstream(run_folder_.root / name) << R"({"host": "node7", "lease": "theirs"})";
        std::filesystem::last_write_time(
            run_folder_.root / name, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
    }
    EXPECT_EQ(run(FakeTraining()), exit_done) << errors_;
    EXPECT_FALSE(std::filesystem::exists(run_folder_.root));
}

TEST_F(RunAlone, givesUpWhenAnotherRunTakesOver) {
    FakeTraining training;
    training.on_step = [&](int step) {
        if (step == 5) std::ofstream(run_folder_.lock) << R"({"host": "node7", "lease": "theirs"})";
    };
    EXPECT_EQ(run(training), exit_other);
    EXPECT_THAT(errors_, HasSubstr("another run has taken over: host node7"));
    EXPECT_TRUE(holds_lease(run_folder_.lock, "theirs"));
    EXPECT_TRUE(std::filesystem::is_empty(run_folder_.trials)) << "nothing is put in place without the lease";
}

TEST_F(RunAlone, writesNothingOfWhatItTrainedWhileTheTokensWereChangedInPlace) {
    FakeTraining training;
    training.on_step = [&](int step) {
        if (step != 5) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the clock of files ticks slowly
        std::fstream tokens(study_.job.token_file, std::ios::binary | std::ios::in | std::ios::out);
        tokens.seekg(300);
        const auto before = static_cast<char>(tokens.peek());
        tokens.seekp(300);
        tokens.put(static_cast<char>(before ^ 1));
    };
    EXPECT_THROW(run(training), TokensChanged);
    static_cast<void>(testing::internal::GetCapturedStdout());
    static_cast<void>(testing::internal::GetCapturedStderr());
    EXPECT_TRUE(std::filesystem::is_empty(run_folder_.trials));
    for (const auto& notes : std::filesystem::directory_iterator(run_folder_.attempts))
        EXPECT_EQ(notes.path().extension(), ".ended") << "it is no fault of the trial";
    EXPECT_EQ(run(FakeTraining()), exit_bad_input);
    EXPECT_THAT(errors_, HasSubstr("is damaged"));
}

// The lock could not be seen at the moment when the archive was to be put in place, and can be again.
TEST_F(RunAlone, keepsEveryTrialWhereAnOlderArchiveStandsInPlaceOfTheMergedOne) {
    ASSERT_EQ(run(FakeTraining()), exit_done);
    const archive::Archive all = archive();
    std::filesystem::remove(archive_);
    const study::Study grown = study_;
    study_.grid.trials.resize(2);
    ASSERT_EQ(run(FakeTraining()), exit_done);
    const std::string older = bytes();

    const auto lock = Lock::take(run_folder_.lock);
    ASSERT_TRUE(lock);
    std::filesystem::create_directories(run_folder_.trials);
    archive::Writer writer{.tag = "test", .still_holder = [] { return true; }};
    for (const archive::TrialRecord& record : all.trials)
        archive::write_trial_file(run_folder_.trials, record, writer);
    writer.still_holder = [asked = 0]() mutable { return ++asked > 1; };
    const RunRequest request{.study = grown, .archive = archive_, .train = {}, .instruction_set = "none"};
    program::Console console = program::Console::standard();
    const Misplaced nobody;
    RunWords words(console, request, nobody);
    testing::internal::CaptureStderr();
    EXPECT_EQ(conclude(Sweep(grown, {}, 4, 1), "", request, *lock, writer, words), exit_other);
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("out.h5: was not put in place (its lock"));
    EXPECT_EQ(bytes(), older);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(run_folder_.trials), {}), 4);
    EXPECT_EQ(conclude(Sweep(grown, {}, 4, 1), "", request, *lock, writer, words), exit_done);
    EXPECT_EQ(archive().digest, all.digest);
}

// Threads that cannot be started, a mount that is gone: no trial makes a step.
TEST_F(RunAlone, holdsItAgainstNoTrialWhereNothingGoesWell) {
    int attempts = 0;
    const TrainTrial nowhere = [&](const study::Trial&, const data::TokenFile&, train::Communicator&,
                                   const train::TrainOptions&) -> archive::TrialResult {
        ++attempts;
        throw std::runtime_error("no more threads");
    };
    for (const int start : {1, 2}) {
        EXPECT_EQ(run(nowhere), exit_other) << start;
        EXPECT_EQ(attempts, 6 * start) << "two at each of three trials";
        EXPECT_THAT(errors_, HasSubstr("trial t2 failed: no more threads"));
        EXPECT_THAT(errors_, HasSubstr("3 trials failed before any made a step"));
        EXPECT_TRUE(std::filesystem::is_empty(run_folder_.trials))
            << "else slurm/sweep takes it for progress";
        for (const auto& notes : std::filesystem::directory_iterator(run_folder_.attempts))
            EXPECT_TRUE(std::filesystem::is_empty(notes)) << notes;
    }
    EXPECT_EQ(run(FakeTraining()), exit_done) << errors_;
    EXPECT_EQ(archive().trials[2].result.outcome, archive::Outcome::completed);
}

TEST_F(RunAlone, triesWhatLacksMemoryAgainWithOneThread) {
    study_.job.threads_per_rank = 4;
    std::vector<int> threads;
    const TrainTrial training = [&](const study::Trial& trial, const data::TokenFile& tokens,
                                    train::Communicator& group, const train::TrainOptions& options) {
        threads.push_back(options.threads);
        if (options.threads > 1 && threads.size() == 1) throw std::bad_alloc();
        return FakeTraining()(trial, tokens, group, options);
    };
    EXPECT_EQ(run(training), exit_done);
    EXPECT_EQ(archive().trials[0].result.outcome, archive::Outcome::completed);
    std::sort(threads.begin(), threads.end());
    EXPECT_EQ(threads, (std::vector<int>{1, 4, 4, 4, 4}));
}

TEST_F(RunAlone, countsFailuresAgainstTrialsThatHaveMadeSteps) {
    const FakeTraining three{
        .troubles = {{0, Trouble::exception}, {1, Trouble::exception}, {3, Trouble::exception}}};
    EXPECT_EQ(run(three), exit_done) << errors_;
    EXPECT_EQ(archive().trials[3].result.outcome, archive::Outcome::failed);
}

TEST_F(RunAlone, refusesGroupsThatItHasNoRanksFor) {
    study_.job.ranks_per_trial = 2;
    EXPECT_EQ(run(FakeTraining()), exit_bad_input);
    EXPECT_THAT(errors_, HasSubstr("run.ranks_per_trial: 2 ranks cannot train together (there is 1 worker"));
    EXPECT_FALSE(std::filesystem::exists(run_folder_.root));
}

TEST_F(RunAlone, tellsFaultsOfTheTokenFile) {
    study_.job.token_file = folder_ / "missing.tok";
    EXPECT_EQ(run(FakeTraining()), exit_bad_input);
    EXPECT_THAT(errors_, HasSubstr("missing.tok"));
    EXPECT_FALSE(std::filesystem::exists(run_folder_.root));
}

TEST_F(RunAlone, canBeFollowedFromOutside) {
    EXPECT_EQ(read_status(archive_)->stage, Stage::absent);
    EXPECT_THAT(status_text(*read_status(archive_)), HasSubstr("there is no archive and no run"));

    FakeTraining training = interrupted_at(4, SIGTERM);  // the second is another attempt at the first trial
    training.troubles = {{0, Trouble::exception}};
    const auto interrupt = training.on_step;
    bool looked = false;
    training.on_step = [&](int step) {
        interrupt(step);
        const auto status = read_status(archive_);
        EXPECT_EQ(status->stage, Stage::running);
        if (step != 5 || !status->progress || status->progress->state.done < 2) return;
        looked = true;
        EXPECT_THAT(status_text(*status), HasSubstr("2 of 4 trials of small done, 1 of them failed"));
        EXPECT_THAT(status_text(*status), HasSubstr("t0: failed (a disk is on fire)"));
        EXPECT_THAT(status_text(*status), HasSubstr("fits laws to what is finished"));
    };
    ASSERT_EQ(run(training), exit_interrupted);
    EXPECT_TRUE(looked);

    const auto stopped = read_status(archive_);
    EXPECT_EQ(stopped->stage, Stage::stopped);
    EXPECT_THAT(status_text(*stopped), HasSubstr("run the same command again"));
    const auto json = nlohmann::json::parse(status_json(*stopped));
    EXPECT_EQ(json["stage"], "stopped");
    EXPECT_EQ(json["sweep"]["done"], 2);
    EXPECT_TRUE(json["holder"].is_null());
    EXPECT_GT(json["remaining_rank_hours"], 0.0);

    training = FakeTraining();
    training.troubles = {{3, Trouble::divergence}};
    ASSERT_EQ(run(training), exit_done);
    const auto finished = read_status(archive_);
    EXPECT_EQ(finished->stage, Stage::finished);
    EXPECT_EQ(finished->digest, archive::archive_digest(archive().trials));
    EXPECT_THAT(status_text(*finished), HasSubstr("finished, 4 trials of small, 1 diverged"));
}

TEST_F(RunAlone, showsARunThatWasToAddToAnArchiveAsStopped) {
    const study::PlannedTrial fourth = study_.grid.trials.back();
    study_.grid.trials.pop_back();
    ASSERT_EQ(run(FakeTraining()), exit_done);
    const std::string digest = read_status(archive_)->digest;
    study_.grid.trials.push_back(fourth);
    ASSERT_EQ(run(interrupted_at(1, SIGTERM)), exit_interrupted);

    const auto stopped = read_status(archive_);
    EXPECT_EQ(stopped->stage, Stage::stopped);
    const std::string text = status_text(*stopped);
    EXPECT_THAT(text,
                HasSubstr("the archive is as it was before that run: 3 trials of small, digest " + digest));
    EXPECT_THAT(text, HasSubstr("3 of 4 trials of small done"));
    EXPECT_THAT(text, Not(HasSubstr("fits laws to what is finished"))) << "the archive is what is fitted";
    EXPECT_THAT(text, HasSubstr("run the same command again to go on"));
    const auto json = nlohmann::json::parse(status_json(*stopped));
    EXPECT_EQ(json["stage"], "stopped");
    EXPECT_EQ(json["digest"], digest);
    EXPECT_EQ(json["sweep"]["done"], 3);

    ASSERT_EQ(run(FakeTraining()), exit_done);
    EXPECT_EQ(read_status(archive_)->stage, Stage::finished);
}

TEST_F(RunAlone, showsARetryThatWasInterruptedAsStopped) {
    FakeTraining training;
    training.troubles = {{0, Trouble::exception}};
    ASSERT_EQ(run(training), exit_done);
    EXPECT_EQ(read_status(archive_)->stage, Stage::finished) << "failed trials are no work that is left";
    retry_ = {archive::Outcome::failed};
    ASSERT_EQ(run(interrupted_at(1, SIGTERM)), exit_interrupted);
    EXPECT_EQ(read_status(archive_)->stage, Stage::stopped);
    retry_ = {};
    ASSERT_EQ(run(FakeTraining()), exit_done) << "a job that goes on by itself does not ask again";
    EXPECT_EQ(archive().trials[0].result.outcome, archive::Outcome::completed);
}

TEST_F(RunAlone, recordsWhyATrialWasGivenUpInTheEnd) {
    FakeTraining training;
    training.troubles = {{0, Trouble::exception}};
    ASSERT_EQ(run(training), exit_done);
    std::filesystem::create_directories(run_folder_.attempts);
    std::ofstream(run_folder_.attempts / archive::trial_file_stem(study_.grid.trials[0]))
        << "retried h 0 as was asked for\ncrashed h 1 SIGSEGV\ncrashed h 1 SIGSEGV\n";
    ASSERT_EQ(run(FakeTraining()), exit_done);
    EXPECT_EQ(archive().trials[0].result.outcome, archive::Outcome::failed);
    EXPECT_THAT(archive().trials[0].result.cause,
                HasSubstr("crashed 2 times (the last: crashed on h: SIGSEGV)"));
}

TEST_F(RunAlone, showsARunThatDiedAsStopped) {
    std::filesystem::create_directories(run_folder_.root);
    std::ofstream(run_folder_.lock) << R"({"host": "node7", "process": 42, "job": "17", "lease": "theirs"})";
    std::filesystem::last_write_time(run_folder_.lock,
                                     std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
    const auto status = read_status(archive_);
    EXPECT_EQ(status->stage, Stage::stopped);
    EXPECT_THAT(
        status_text(*status),
        HasSubstr("stopped; it ran on host node7, process 42, Slurm job 17 (last sign 2 h 00 min ago)"));
    const auto json = nlohmann::json::parse(status_json(*status));
    EXPECT_FALSE(json["holder"]["alive"]);
}

TEST(SingletonFault, isToldWhenSlurmGaveSeveralTasksButMpiKnowsOne) {
    const MpiSession session;
    ASSERT_EQ(session.size(), 1);
    setenv("SLURM_NTASKS", "4", 1);
    const auto fault = singleton_fault(session, false);
    ASSERT_TRUE(fault);
    EXPECT_THAT(base::to_string(*fault), HasSubstr("srun --mpi=pmix or mpirun"));
    EXPECT_FALSE(singleton_fault(session, true));
    setenv("SLURM_NTASKS", "1", 1);
    EXPECT_FALSE(singleton_fault(session, false));
    unsetenv("SLURM_NTASKS");
    EXPECT_FALSE(singleton_fault(session, false));
}
