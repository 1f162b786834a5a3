// What is remembered of attempts that ended badly, and when a trial is set aside.
#include "cluster/folder/attempts.hpp"

#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "archive/process_identity.hpp"
#include "archive/trial_file.hpp"
#include "cluster/small_study.hpp"
#include "scratch_folder.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using archive::Outcome;
using testing::HasSubstr;

namespace {

class AttemptsOfATrial : public testing::Test {
  protected:
    void note(Outcome outcome, int ranks) {
        note_attempt(folder_.path(), trial_, outcome, ranks, "why\nnot", /*alone=*/true, /*threads=*/1);
    }
    Attempts read() const { return read_attempts(folder_.path(), trial_); }

    ScratchFolder folder_;
    study::PlannedTrial trial_ = test::study_of({1e9}, 4).grid.trials[0];
};

TEST_F(AttemptsOfATrial, areNoneAtFirstAndForgottenWhenAsked) {
    EXPECT_FALSE(set_aside(read(), 1));
    note(Outcome::failed, 1);
    note(Outcome::failed, 1);
    EXPECT_TRUE(set_aside(read(), 1));
    EXPECT_FALSE(read().retried);
    note_retried(folder_.path(), trial_);
    EXPECT_TRUE(read().retried);
    EXPECT_EQ(read().last, "");
    EXPECT_FALSE(set_aside(read(), 1));
    note(Outcome::failed, 1);
    EXPECT_EQ(read().failed, 1) << "counted from there";
    EXPECT_TRUE(is_last_cause(read(), "why\nnot"));
    EXPECT_EQ(read_all_attempts(folder_.path()).at(archive::trial_file_stem(trial_)).failed, 1);
}

TEST_F(AttemptsOfATrial, failTwiceBeforeItIsSetAside) {
    note(Outcome::failed, 1);
    EXPECT_FALSE(set_aside(read(), 1));
    note(Outcome::failed, 1);
    const auto result = set_aside(read(), 1);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->outcome, Outcome::failed);
    EXPECT_THAT(result->cause, HasSubstr("failed 2 times"));
    EXPECT_THAT(result->cause, HasSubstr("why not)")) << "one line";
}

TEST_F(AttemptsOfATrial, thatFailedArePardonedOnOneHostOrOnAll) {
    const auto notes = folder_ / archive::trial_file_stem(trial_);
    const auto write = [&] {
        std::ofstream(notes) << "failed node1 1 why\ncrashed node1 1 SIGSEGV\nfailed node2 1 why\n";
    };
    write();
    pardon_host(folder_.path(), trial_, "node1");
    EXPECT_EQ(read().failed, 1);
    write();
    pardon_failures(folder_.path(), trial_);
    EXPECT_EQ(read().failed, 0);
    EXPECT_EQ(read().crashed, 1);
}

TEST_F(AttemptsOfATrial, withoutEnoughMemoryGetTwiceTheRanksWhileThereAreAny) {
    EXPECT_EQ(least_ranks(read()), 1);
    note(Outcome::out_of_memory, 1);
    EXPECT_EQ(least_ranks(read()), 2);
    EXPECT_TRUE(set_aside(read(), 1));
    EXPECT_FALSE(set_aside(read(), 4));
    note(Outcome::out_of_memory, 2);
    EXPECT_EQ(least_ranks(read()), 4);
    note(Outcome::out_of_memory, 4);
    EXPECT_EQ(set_aside(read(), 4)->outcome, Outcome::out_of_memory);
}

TEST_F(AttemptsOfATrial, withoutEnoughMemoryForSeveralThreadsNeedOneAndNoMoreRanks) {
    note_attempt(folder_.path(), trial_, Outcome::out_of_memory, 1, "why", /*alone=*/true, /*threads=*/4);
    EXPECT_TRUE(read().threaded);
    EXPECT_EQ(read().last, "out_of_memory on " + archive::host_name() + ": why");
    EXPECT_EQ(least_ranks(read()), 1);
    EXPECT_FALSE(set_aside(read(), 1));
    note(Outcome::out_of_memory, 1);
    EXPECT_EQ(set_aside(read(), 1)->outcome, Outcome::out_of_memory);
}

TEST_F(AttemptsOfATrial, withoutEnoughMemoryAmongOthersNeedACardAloneAndNoMoreRanks) {
    note_attempt(folder_.path(), trial_, Outcome::out_of_memory, 1, "why", /*alone=*/false, /*threads=*/1);
    EXPECT_TRUE(read().crowded);
    EXPECT_EQ(least_ranks(read()), 1);
    EXPECT_FALSE(set_aside(read(), 1));
    note(Outcome::out_of_memory, 1);
    EXPECT_EQ(set_aside(read(), 1)->outcome, Outcome::out_of_memory);
}

TEST_F(AttemptsOfATrial, thatLoseACardAreTheCardsFaultUntilAnotherHostsIsLostToo) {
    const auto lost_on = [&](const std::string& host) {
        std::ofstream(folder_ / archive::trial_file_stem(trial_), std::ios::app)
            << "card " + host + " 1 uncorrectable ECC\n";
    };
    note_card_lost(folder_.path(), trial_, 1, "uncorrectable ECC", /*alone=*/true);
    std::ifstream notes(folder_ / archive::trial_file_stem(trial_));
    std::string what, host;
    notes >> what >> host;
    EXPECT_EQ(what, "card") << "slurm/sweep leaves a host out by it";
    lost_on(host);
    EXPECT_FALSE(set_aside(read(), 1)) << "twice on one host: it may be the card";
    EXPECT_EQ(read().failed, 0);
    EXPECT_TRUE(read().crowded) << "the next card should be lost by nobody else";
    EXPECT_EQ(read().last, "card lost on " + host + ": uncorrectable ECC");
    lost_on("another" + host);
    ASSERT_TRUE(set_aside(read(), 1));
    EXPECT_EQ(set_aside(read(), 1)->outcome, Outcome::failed);
    EXPECT_THAT(set_aside(read(), 1)->cause,
                HasSubstr("lost its card 3 times, on 2 hosts (the last: card lost on"));
    note_retried(folder_.path(), trial_);
    EXPECT_FALSE(set_aside(read(), 1));
    EXPECT_EQ(read().cards_lost, 0);
}

TEST_F(AttemptsOfATrial, thatLoseTheOnlyHostsCardDoNotGoOnForEver) {
    for (int time = 0; time < most_cards_lost; ++time) {
        EXPECT_FALSE(set_aside(read(), 1)) << time;
        note_card_lost(folder_.path(), trial_, 1, "an illegal address", /*alone=*/true);
    }
    EXPECT_THAT(set_aside(read(), 1)->cause, HasSubstr("lost its card 4 times, on 1 host ("));
}

TEST_F(AttemptsOfATrial, canUseRanksUpToTheLeavesAndTheWorkers) {
    EXPECT_EQ(most_ranks(trial_.trial, 1), 1);
    EXPECT_EQ(most_ranks(trial_.trial, 3), 2);
    EXPECT_EQ(most_ranks(trial_.trial, 100), 4);
}

TEST_F(AttemptsOfATrial, areReadThoughALineWasTorn) {
    note(Outcome::failed, 1);
    std::ofstream(folder_ / archive::trial_file_stem(trial_), std::ios::app) << "crash";
    EXPECT_EQ(read().failed, 1);
    EXPECT_EQ(read().crashed, 0);
}

/// The signal that ends a process which does `crash` while a trial runs.
template <class Crash>
int ended_by(const std::filesystem::path& folder, const study::PlannedTrial& trial, const Crash& crash) {
    const pid_t child = fork();
    if (child == 0) {
        const CrashNote note(folder, trial, 2);
        crash();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST_F(AttemptsOfATrial, thatCrashTheProgramAreNotedAndTwiceAreEnough) {
    EXPECT_EQ(ended_by(folder_.path(), trial_, [] { raise(SIGSEGV); }), SIGSEGV);
    EXPECT_EQ(read().crashed, 1);
    EXPECT_FALSE(set_aside(read(), 1));
    EXPECT_EQ(ended_by(folder_.path(), trial_, [] { std::abort(); }), SIGABRT);
    EXPECT_THAT(set_aside(read(), 1)->cause, HasSubstr("crashed 2 times"));
    EXPECT_THAT(set_aside(read(), 1)->cause, HasSubstr("SIGABRT"));
}

TEST_F(AttemptsOfATrial, crashTheProgramOnOneOfItsThreadsAndAreTheOnlyOnesNoted) {
    const study::PlannedTrial other = test::study_of({1e9, 2e9}, 4).grid.trials[1];
    EXPECT_EQ(ended_by(folder_.path(), other,
                       [&] {
                           const Underway beside(folder_.path(), other, 0);
                           std::thread([&] {
                               const CrashNote note(folder_.path(), trial_, 1);
                               const Underway underway(folder_.path(), trial_, 0);
                               raise(SIGSEGV);
                           }).join();
                       }),
              SIGSEGV);
    EXPECT_EQ(read().crashed, 1);
    EXPECT_EQ(read_attempts(folder_.path(), other).crashed, 0);
    note_disappeared(folder_.path(), {});
    EXPECT_EQ(read_attempts(folder_.path(), other).disappeared, 0) << "it went down with the other";
}

TEST_F(AttemptsOfATrial, killedFromOutsideAreNobodysFault) {
    EXPECT_EQ(ended_by(folder_.path(), trial_, [] { raise(SIGKILL); }), SIGKILL);
    EXPECT_EQ(read().crashed, 0);
}

class DisappearedTrial : public AttemptsOfATrial {
  protected:
    /// A start in which members of these trials are killed without a word.
    void killed_in(const std::vector<study::PlannedTrial>& trials) {
        for (const study::PlannedTrial& trial : trials)
            ended_by(folder_.path(), trial, [&] {
                const Underway underway(folder_.path(), trial, 0);
                raise(SIGKILL);
            });
    }
    void start_again(const std::set<std::int64_t>& checkpoints = {}) {
        note_disappeared(folder_.path(), {{archive::trial_file_stem(trial_), checkpoints}});
    }
};

TEST_F(DisappearedTrial, isSetAsideAfterFourTimesInARow) {
    for (int time = 1; time <= most_disappearances; ++time) {
        EXPECT_FALSE(set_aside(read(), 1));
        killed_in({trial_});
        start_again();
        EXPECT_EQ(read().disappeared, time);
        start_again();
        EXPECT_EQ(read().disappeared, time) << "each is counted once";
    }
    EXPECT_THAT(set_aside(read(), 1)->cause, HasSubstr("was killed 4 times in a row"));
}

TEST_F(DisappearedTrial, isNotBlamedWhileItGetsOn) {
    for (const std::int64_t steps : {0, 10, 20, 30, 40}) {
        killed_in({trial_});
        start_again({steps});
        EXPECT_EQ(read().disappeared, 1);
    }
}

TEST_F(DisappearedTrial, isNotBlamedWhileItGetsOnBesideANewerCheckpointThatCannotBeUsed) {
    for (const std::set<std::int64_t>& steps :
         std::vector<std::set<std::int64_t>>{{900}, {100, 900}, {100, 200, 900}, {200, 300, 900}}) {
        killed_in({trial_});
        start_again(steps);
        EXPECT_EQ(read().disappeared, 1);
    }
}

TEST_F(DisappearedTrial, isNotBlamedWhenTheWholeJobWasKilled) {
    const study::PlannedTrial other = test::study_of({1e9, 2e9}, 4).grid.trials[1];
    killed_in({trial_, other});
    start_again();
    EXPECT_EQ(read().disappeared, 0);
    killed_in({trial_});
    start_again();
    EXPECT_EQ(read().disappeared, 1) << "nothing is left of the earlier start";
}

TEST_F(DisappearedTrial, isNotBlamedWhenItsAllocationEnded) {
    setenv("SLURM_JOB_ID", "17", 1);
    killed_in({trial_});
    setenv("SLURM_RESTART_COUNT", "1", 1);
    start_again();
    EXPECT_EQ(read().disappeared, 0);
    killed_in({trial_});
    start_again();
    EXPECT_EQ(read().disappeared, 1) << "the same start of the job";
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_RESTART_COUNT");
}

TEST_F(DisappearedTrial, isNotBlamedWhenTheLauncherKilledItForAnothersCrash) {
    const study::PlannedTrial other = test::study_of({1e9, 2e9}, 4).grid.trials[1];
    EXPECT_EQ(ended_by(folder_.path(), other,
                       [&] {
                           const Underway underway(folder_.path(), other, 0);
                           raise(SIGSEGV);
                       }),
              SIGSEGV);
    killed_in({trial_});
    start_again();
    EXPECT_EQ(read().disappeared, 0);
    killed_in({trial_});
    start_again();
    EXPECT_EQ(read().disappeared, 1) << "nothing is left of the crash";
}

TEST_F(DisappearedTrial, isNotBlamedWhenTheLauncherKilledItForAnothersCard) {
    const study::PlannedTrial other = test::study_of({1e9, 2e9}, 4).grid.trials[1];
    {
        Underway underway(folder_.path(), other, 0);
        underway.ends_process();
    }
    killed_in({trial_});
    start_again();
    EXPECT_EQ(read().disappeared, 0);
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(DisappearedTrial, isNoneThatEndedInOrder) {
    { const Underway underway(folder_.path(), trial_, 0); }
    start_again();
    EXPECT_EQ(read().disappeared, 0);
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(AttemptsOfATrial, onAHostThatIsSetAsideAreForgotten) {
    note(Outcome::failed, 1);
    const std::string here = read().last.substr(10, read().last.find(':') - 10);  // "failed on HOST: why not"
    std::ofstream(folder_ / archive::trial_file_stem(trial_), std::ios::app) << "failed elsewhere 1 why\n";
    EXPECT_EQ(read().failed, 2);
    pardon_host(folder_.path(), trial_, here);
    EXPECT_EQ(read().failed, 1);
    EXPECT_EQ(read().last, "failed on elsewhere: why");
}

}  // namespace
