#include "cluster/sweep/progress.hpp"

#include <fcntl.h>
#include <fstream>
#include <numeric>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/small_study.hpp"
#include "cluster/sweep/progress_file.hpp"
#include "program/console.hpp"
#include "scratch_folder.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using program::Console;

namespace {

SweepState some_state() {
    SweepState state;
    state.study = "quickstart";
    state.trials = 28;
    state.done = 12;
    state.diverged = 1;
    state.workers = 2;
    state.running = {{"b3-w64-d4", 1, 43, 100, 7e5}, {"b2-w32-d2", 2, 11, 100, 5e5}};
    state.failed = {{"b0-w8-d1", "failed", "a disk is on fire"}};
    state.set_aside = {"node3"};
    state.tokens_per_second = 1.2e6;
    state.remaining_rank_seconds = 400;
    state.remaining_seconds = 200;
    return state;
}

}  // namespace

TEST(ProgressLine, saysWhatIsDoneRunningAndLeft) {
    EXPECT_EQ(progress_line(some_state(), 200),
              "quickstart: 12/28 done, 1 failed, 2 running (b3-w64-d4 43%, b2-w32-d2 11%), 1.20 M tokens/s, "
              "3 min 20 s left");
}

TEST(ProgressLine, dropsTheLeastImportantPartsOnANarrowTerminal) {
    const SweepState state = some_state();
    EXPECT_EQ(progress_line(state, 79),
              "quickstart: 12/28 done, 1 failed, 2 running, 1.20 M tokens/s, 3 min 20 s left");
    EXPECT_EQ(progress_line(state, 40), "12/28 done, 1 failed, 3 min 20 s left");
    for (int columns = 0; columns < 130; ++columns)
        EXPECT_LE(progress_line(state, columns).size(), static_cast<std::size_t>(columns));
}

TEST(ProgressLine, leavesOutWhatIsNotKnown) {
    SweepState state = some_state();
    state.running.clear();
    state.failed.clear();
    state.tokens_per_second = 0;
    state.remaining_seconds.reset();
    EXPECT_EQ(progress_line(state, 200), "quickstart: 12/28 done, 0 running");
}

TEST(FinishedLine, tellsTheLossOrTheCause) {
    Finished finished{
        .outcome = archive::Outcome::completed, .stored = true, .seconds = 75, .validation_loss = 1.92314};
    EXPECT_EQ(finished_line(some_state(), "b2-w32-d2", finished),
              "12/28 b2-w32-d2 completed in 1 min 15 s: validation loss 1.9231");
    finished.outcome = archive::Outcome::failed;
    finished.cause = "a disk is on fire";
    EXPECT_EQ(finished_line(some_state(), "b2-w32-d2", finished),
              "12/28 b2-w32-d2 failed in 1 min 15 s: a disk is on fire");
}

TEST(ProgressFile, bringsBackWhatWasWritten) {
    const ScratchFolder folder;
    write_progress_file(folder / "progress.json", {some_state(), 1.75e9});
    const auto read = read_progress_file(folder / "progress.json");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->state, some_state());
    EXPECT_EQ(read->written_unix, 1.75e9);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "no leftovers";
}

TEST(ProgressFile, isNothingWhenMissingOrTorn) {
    const ScratchFolder folder;
    EXPECT_FALSE(read_progress_file(folder / "progress.json"));
    std::ofstream(folder / "progress.json") << R"({"schema": "isogrid-progress/1", "sw)";
    EXPECT_FALSE(read_progress_file(folder / "progress.json"));
}

TEST(Progress, writesOneLineAMinuteAndOneATrialIntoALog) {
    const ScratchFolder folder;
    const study::Study study = test::study_of({2e9, 1e9});
    Sweep sweep(study, {0, 1}, 0, 1);
    {
        Console console(open((folder / "log").c_str(), O_WRONLY | O_CREAT, 0600), false, true);
        Progress progress(console, folder / "progress.json");
        sweep.worker_idle(1);
        sweep.assign(0);
        for (double now = 0; now < 130; now += 0.5)
            progress.update(sweep, now);
        const Finished finished{.trial = 0,
                                .outcome = archive::Outcome::completed,
                                .stored = true,
                                .steps_done = 10,
                                .steps = 10,
                                .seconds = 130,
                                .validation_loss = 2};
        sweep.finished(finished, 130);
        progress.trial_finished(sweep, finished, 130);
        progress.end(sweep, 130);
    }
    EXPECT_EQ(read_all(folder / "log"),
              "small: 0/2 done, 1 running (t0 0%)\n"  // after 1 and 2 minutes, not at the start
              "small: 0/2 done, 1 running (t0 0%)\n"
              "1/2 t0 completed in 2 min 10 s: validation loss 2.0000\n");
    EXPECT_EQ(read_progress_file(folder / "progress.json")->state.done, 1);
}

TEST(Progress, tellsOfTrialsOnATerminalWithoutFloodingIt) {
    const ScratchFolder folder;
    const study::Study study = test::study_of({5e9, 4e9, 3e9, 2e9, 1e9});
    Sweep sweep(study, {0, 1, 2, 3, 4}, 0, 1);
    sweep.worker_idle(1);
    {
        Console console(open((folder / "terminal").c_str(), O_WRONLY | O_CREAT, 0600), true, true);
        Progress progress(console, folder / "progress.json");
        for (const double now : {1.0, 1.1, 1.2, 2.0, 2.1}) {
            const auto assign = sweep.assign(now);
            ASSERT_EQ(assign.size(), 1U);
            const Finished finished{.trial = assign[0].trial,
                                    .outcome = archive::Outcome::completed,
                                    .stored = true,
                                    .seconds = 1,
                                    .validation_loss = 2};
            sweep.finished(finished, now);
            sweep.worker_idle(1);
            progress.trial_finished(sweep, finished, now);
        }
        progress.end(sweep, 2.1);
    }
    EXPECT_EQ(read_all(folder / "terminal"),
              "1/5 t0 completed in 1.0 s: validation loss 2.0000\n"
              "4/5 t3 completed in 1.0 s: validation loss 2.0000 (and 2 before it)\n"
              "and 1 trial more completed\n");
}

TEST(Progress, writesNoFileForATrialThatEndsRightBehindAnother) {
    constexpr int trials = 1000;  // 10 us each: a file 10 ms behind the last at the earliest
    const ScratchFolder folder;
    const study::Study study = test::study_of(std::vector<double>(trials, 1e9));
    std::vector<int> all(trials);
    std::iota(all.begin(), all.end(), 0);
    Sweep sweep(study, all, 0, 1);
    sweep.worker_idle(1);
    Console console(open((folder / "log").c_str(), O_WRONLY | O_CREAT, 0600), false, true);
    Progress progress(console, folder / "progress.json");
    const auto done_on_disk = [&] { return read_progress_file(folder / "progress.json")->state.done; };
    const auto one_ends_at = [&](double now) {
        const auto assign = sweep.assign(now);
        ASSERT_EQ(assign.size(), 1U);
        const Finished finished{
            .trial = assign[0].trial, .outcome = archive::Outcome::completed, .stored = true};
        sweep.finished(finished, now);
        sweep.worker_idle(1);
        progress.trial_finished(sweep, finished, now);
    };
    one_ends_at(1);
    EXPECT_EQ(done_on_disk(), 1);
    one_ends_at(1.005);
    EXPECT_EQ(done_on_disk(), 1) << "the last is 5 ms old";
    progress.update(sweep, 1.1);
    EXPECT_EQ(done_on_disk(), 1) << "the trial's successor is given out within 0.1 s";
    progress.update(sweep, 1.106);
    EXPECT_EQ(done_on_disk(), 2);
    one_ends_at(1.117);
    EXPECT_EQ(done_on_disk(), 3) << "the last is 11 ms old";
    one_ends_at(1.118);
    progress.end(sweep, 1.119);
    EXPECT_EQ(done_on_disk(), 4) << "the end is always told";
}
