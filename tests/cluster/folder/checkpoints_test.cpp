// What a run folder keeps of trials that have not ended.
#include "cluster/folder/checkpoints.hpp"

#include <algorithm>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/trial_file.hpp"
#include "checkpoint_sample.hpp"
#include "cluster/small_study.hpp"
#include "scratch_folder.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using testing::HasSubstr;

namespace {

class Checkpoints : public testing::Test {
  protected:
    TrialCheckpoints keeper(double minutes = 10, const std::string& instruction_set = "avx2",
                            std::function<bool()> still_holder = {}) {
        return {folder_.path(), trial_, instruction_set, {.tag = "t", .still_holder = still_holder}, minutes};
    }
    archive::Checkpoint after(std::int64_t step) const {
        return test::checkpoint_of(trial_.trial.shape, step);
    }
    std::vector<std::int64_t> steps_there() const {
        std::vector<std::int64_t> steps;
        for (const CheckpointFile& file : checkpoints_of(folder_.path(), trial_))
            steps.push_back(file.step);
        return steps;
    }

    ScratchFolder folder_;
    const study::Study study_ = test::study_of({1e9, 2e9});
    study::PlannedTrial trial_ = study_.grid.trials[0];
};

TEST_F(Checkpoints, areTwoGenerationsATrial) {
    TrialCheckpoints keeper = this->keeper();
    EXPECT_FALSE(keeper.load());
    EXPECT_EQ(keeper.taken_up_at(), 0);
    for (const std::int64_t step : {1, 2, 9, 10})
        keeper.save(after(step));
    EXPECT_EQ(steps_there(), (std::vector<std::int64_t>{10, 9}));
    EXPECT_EQ(keeper.load()->step, 10);
    EXPECT_EQ(keeper.taken_up_at(), 10);
    const CheckpointListing listing(folder_.path());
    EXPECT_EQ(listing.steps(),
              (std::map<std::string, std::set<std::int64_t>>{{archive::trial_file_stem(trial_), {9, 10}}}));
    EXPECT_EQ(listing.newest(archive::trial_file_stem(trial_)), 10);
    EXPECT_EQ(listing.newest("another"), 0);
}

TEST_F(Checkpoints, sayWhichStepIsOnDisk) {
    TrialCheckpoints keeper = this->keeper();
    EXPECT_EQ(keeper.saved_at(), 0);
    keeper.save(after(5));
    EXPECT_EQ(keeper.saved_at(), 5);
    TrialCheckpoints fenced = this->keeper(10, "avx2", [] { return false; });
    fenced.save(after(8));
    EXPECT_EQ(fenced.saved_at(), 0) << "another run has taken over";
}

TEST_F(Checkpoints, goOnFromAnOlderOneWhereTheExpectedOneIsNotThere) {
    keeper().save(after(3));
    testing::internal::CaptureStderr();
    TrialCheckpoints expecting(folder_.path(), trial_, "avx2", {.tag = "t"}, 10, {}, /*expected=*/7);
    EXPECT_EQ(expecting.load()->step, 3);
    keeper().save(after(7));
    EXPECT_EQ(expecting.load()->step, 7);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(Checkpoints, theOlderOneServesWhenTheNewestIsDamaged) {
    keeper().save(after(3));
    keeper().save(after(7));
    std::filesystem::resize_file(checkpoints_of(folder_.path(), trial_).front().path, 1000);
    testing::internal::CaptureStderr();
    TrialCheckpoints keeper = this->keeper();
    EXPECT_EQ(keeper.load()->step, 3);
    const std::string told = testing::internal::GetCapturedStderr();
    EXPECT_THAT(told, HasSubstr("not used: "));
    EXPECT_THAT(told, HasSubstr("000000000007.h5"));
}

TEST_F(Checkpoints, ofOtherArithmeticAreNamedAndPassedOver) {
    keeper().save(after(3));
    testing::internal::CaptureStderr();
    EXPECT_FALSE(keeper(10, "sm_90x132").load());
    EXPECT_THAT(testing::internal::GetCapturedStderr(),
                HasSubstr("an instruction set with other bits (avx2, not sm_90x132)"));
    EXPECT_EQ(steps_there(), (std::vector<std::int64_t>{3}));
}

// A job that goes on under other arithmetic begins anew, far behind what it cannot use.
TEST_F(Checkpoints, thatCannotBeUsedPushNoneOfItsOwnAway) {
    keeper().save(after(3));
    keeper().save(after(7));
    testing::internal::CaptureStderr();
    TrialCheckpoints anew = keeper(10, "sm_90x132");
    EXPECT_FALSE(anew.load());
    for (const std::int64_t step : {1, 2})
        anew.save(after(step));
    EXPECT_EQ(steps_there(), (std::vector<std::int64_t>{7, 3, 2, 1}));
    TrialCheckpoints again = keeper(10, "sm_90x132");
    EXPECT_EQ(again.load()->step, 2);
    again.save(after(5));
    EXPECT_EQ(steps_there(), (std::vector<std::int64_t>{7, 5, 2})) << "3 is of no use to anybody any more";
    again.save(after(7));
    EXPECT_EQ(steps_there(), (std::vector<std::int64_t>{7, 5}));
    EXPECT_EQ(keeper(10, "sm_90x132").load()->step, 7);
    testing::internal::GetCapturedStderr();
}

TEST_F(Checkpoints, ofOtherTrialsAndFilesBeingWrittenAreNotSeen) {
    keeper().save(after(3));
    TrialCheckpoints of_other(folder_.path(), study_.grid.trials[1], "avx2", {.tag = "t"}, 10);
    EXPECT_FALSE(of_other.load());
    std::ofstream(checkpoints_of(folder_.path(), trial_).front().path.string() + ".tmp-t") << "half";
    EXPECT_EQ(steps_there(), (std::vector<std::int64_t>{3}));
    remove_checkpoints(folder_.path(), trial_);
    EXPECT_TRUE(steps_there().empty());
}

TEST_F(Checkpoints, areDueByTheClockUnlessItIsNotAskedFor) {
    TrialCheckpoints soon = keeper(1e-9);
    while (!soon.due(1)) {
    }
    EXPECT_FALSE(keeper(1e5).due(1));
    EXPECT_FALSE(keeper(0).due(1));
}

TEST_F(Checkpoints, ofWhoeverLostTheLeaseReplaceNothing) {
    keeper().save(after(3));
    keeper(10, "avx2", [] { return false; }).save(after(8));
    EXPECT_EQ(steps_there(), (std::vector<std::int64_t>{3}));
}

TEST_F(Checkpoints, aFolderThatCannotBeWrittenIsToldAndPassedOver) {
    testing::internal::CaptureStderr();
    TrialCheckpoints(folder_.path() / "missing", trial_, "avx2", {.tag = "t"}, 10).save(after(3));
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("no checkpoint: "));
}

TEST_F(Checkpoints, thatCannotBeSavedAreToldOfOnceAndCounted) {
    const auto later = folder_.path() / "later";
    testing::internal::CaptureStderr();
    {
        TrialCheckpoints keeper(later, trial_, "avx2", {.tag = "t"}, 10);
        keeper.save(after(3));
        keeper.save(after(5));
        keeper.found_no_memory(6);
        std::filesystem::create_directories(later);
        keeper.save(after(8));
        EXPECT_EQ(keeper.saved_at(), 8);
        std::filesystem::remove_all(later);
        keeper.save(after(9));
        keeper.save(after(10));
    }
    const std::string told = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 4) << told;
    EXPECT_THAT(told, HasSubstr("checkpoints again: " + trial_.name +
                                " after step 8, where 3 before it could not be saved\n"));
    EXPECT_THAT(told, HasSubstr("no checkpoint: " + trial_.name + ", 2 in a row could not be saved\n"));
}

TEST_F(Checkpoints, thatMemoryHasNoRoomForAreTold) {
    testing::internal::CaptureStderr();
    keeper().found_no_memory(3);
    EXPECT_THAT(testing::internal::GetCapturedStderr(),
                HasSubstr("no checkpoint: " + trial_.name + " after step 3 (memory has no room"));
}

}  // namespace
