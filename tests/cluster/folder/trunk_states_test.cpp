// States that trials share: one file a place, whoever leaves there, for as long as somebody may.
#include "cluster/folder/trunk_states.hpp"

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint_sample.hpp"
#include "cluster/folder/checkpoints.hpp"
#include "cluster/small_study.hpp"
#include "scratch_folder.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using testing::HasSubstr;

namespace {

/// A trunk of 8 steps, evaluated after 4 and 8, and decays that leave it there: two after 4 steps, one
/// after 8.
class SharedStates : public testing::Test {
  protected:
    SharedStates() {
        study::Trial& trunk = trial(0);
        trunk.schedule.kind = study::ScheduleKind::constant;
        trunk.steps = 8;
        trunk.evaluation.steps = {4, 8};
        decay(1, 4, study::DecayForm::linear);
        decay(2, 4, study::DecayForm::cosine);
        decay(3, 8, study::DecayForm::linear);
        std::filesystem::create_directories(checkpoints_);
    }

    study::Trial& trial(std::size_t place) { return study_.grid.trials[place].trial; }
    void decay(std::size_t place, std::int64_t start, study::DecayForm form) {
        trial(place) = trial(0);
        trial(place).schedule = {
            .kind = study::ScheduleKind::warmup_stable_decay, .decay_steps = 2, .decay = form};
        trial(place).steps = start + 2;
        std::erase_if(trial(place).evaluation.steps, [&](std::int64_t step) { return step > start; });
        trial(place).evaluation.steps.push_back(start + 2);
    }

    TrialCheckpoints keeper(std::size_t place) {
        return {checkpoints_,  study_.grid.trials[place],      "avx2", {.tag = "t"},
                /*minutes=*/0, places_left_from(study_, place)};
    }
    archive::Checkpoint after(std::int64_t step) { return test::checkpoint_of(trial(0).shape, step); }
    void train_trunk() {
        TrialCheckpoints trunk = keeper(0);
        for (std::int64_t step = 1; step <= 8; ++step)
            if (trunk.due(step)) trunk.save(after(step));
    }
    /// Steps that the trial at `place` goes on from; 0 where it begins anew.
    std::int64_t taken_up_by(std::size_t place) {
        TrialCheckpoints keeper = this->keeper(place);
        const auto checkpoint = keeper.load();
        EXPECT_EQ(keeper.taken_up_at(), checkpoint ? checkpoint->step : 0);
        return keeper.taken_up_at();
    }

    std::ptrdiff_t files() const {
        return std::distance(std::filesystem::directory_iterator(checkpoints_), {});
    }
    std::filesystem::path state(std::int64_t step) {
        return shared_state(checkpoints_, trial(0), step)->file.path;
    }

    ScratchFolder folder_;
    const std::filesystem::path checkpoints_ = folder_ / "checkpoints";
    study::Study study_ = test::study_of({1, 1, 1, 1});
};

TEST_F(SharedStates, areOneFileForAllThatLeaveThere) {
    EXPECT_EQ(places_left_from(study_, 0), (std::vector<std::int64_t>{4, 8}));
    EXPECT_TRUE(places_left_from(study_, 1).empty());
    train_trunk();
    EXPECT_EQ(files(), 2);
    EXPECT_TRUE(is_shared_state(state(4)));
    EXPECT_EQ(taken_up_by(1), 4);
    EXPECT_EQ(taken_up_by(2), 4);
    EXPECT_EQ(taken_up_by(3), 8);
    EXPECT_EQ(taken_up_by(0), 8) << "the trunk itself";
}

TEST_F(SharedStates, giveWayToATrialsOwnCheckpointThatIsNewer) {
    train_trunk();
    keeper(1).save(after(5));
    EXPECT_EQ(taken_up_by(1), 5);
    EXPECT_EQ(taken_up_by(2), 4);
    EXPECT_FALSE(is_shared_state(checkpoints_of(checkpoints_, study_.grid.trials[1]).front().path));
}

TEST_F(SharedStates, thatAreDamagedArePassedOverForEarlierOnes) {
    train_trunk();
    std::filesystem::resize_file(state(8), 1000);
    testing::internal::CaptureStderr();
    EXPECT_EQ(taken_up_by(3), 4) << "its beginning after 4 steps is the trunk's, too";
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("not used: " + state(8).string()));
    std::filesystem::resize_file(state(4), 1000);
    testing::internal::CaptureStderr();
    EXPECT_EQ(taken_up_by(3), 0);
    EXPECT_EQ(taken_up_by(1), 0);
    testing::internal::GetCapturedStderr();
}

TEST_F(SharedStates, areForTrialsThatBeginSoAndForNoOthers) {
    train_trunk();
    trial(1).seed = 5;
    trial(2).evaluation.steps = {3, 4, 6};
    EXPECT_EQ(taken_up_by(1), 0) << "another seed";
    EXPECT_EQ(taken_up_by(2), 0) << "a row more";
    trial(0).steps = 16;
    trial(0).evaluation.steps = {4, 8, 16};
    EXPECT_EQ(taken_up_by(0), 8) << "a longer trunk";
}

TEST_F(SharedStates, goWhenAllThatLeaveThereHaveTheirResults) {
    train_trunk();
    TrunkStates states(checkpoints_, study_, {0, 1, 2, 3});
    states.ended(0);
    states.ended(3);
    EXPECT_FALSE(std::filesystem::exists(state(8)));
    states.ended(1);
    EXPECT_TRUE(std::filesystem::exists(state(4)));
    states.ended(2);
    EXPECT_EQ(files(), 0);

    train_trunk();
    const TrunkStates of_the_rest(checkpoints_, study_, {2});
    EXPECT_FALSE(std::filesystem::exists(state(8))) << "nobody to do leaves there";
    EXPECT_TRUE(std::filesystem::exists(state(4)));
}

TEST_F(SharedStates, stayWhereTheJobKeepsThem) {
    study_.job.keep_trunks = true;
    study_.grid.trials.pop_back();  // nobody leaves after 8 steps, but a longer trunk may
    EXPECT_EQ(places_left_from(study_, 0), (std::vector<std::int64_t>{4, 8}));
    train_trunk();
    EXPECT_TRUE(holds_only_states(folder_.path(), checkpoints_));
    keeper(1).save(after(5));
    EXPECT_FALSE(holds_only_states(folder_.path(), checkpoints_)) << "a trial was begun";
    TrunkStates states(checkpoints_, study_, {0, 1, 2});
    for (const int trial : {0, 1, 2})
        states.ended(trial);
    EXPECT_EQ(files(), 3);
    clean_checkpoints(checkpoints_, /*keep_states=*/true);
    EXPECT_EQ(files(), 2);
    EXPECT_TRUE(holds_only_states(folder_.path(), checkpoints_));
    std::ofstream(folder_ / "progress.json") << "{}";
    EXPECT_FALSE(holds_only_states(folder_.path(), checkpoints_));
    clean_checkpoints(checkpoints_, /*keep_states=*/false);
    EXPECT_FALSE(std::filesystem::exists(checkpoints_));
}

}  // namespace
