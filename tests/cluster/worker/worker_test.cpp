// Workers without MPI: a transport that plays the coordinator's part, and verdicts of imagined groups.
#include "cluster/worker/worker.hpp"

#include <deque>
#include <fstream>

#include <gtest/gtest.h>

#include "archive/run_folder.hpp"
#include "archive/trial_file.hpp"
#include "cluster/fake_training.hpp"
#include "cluster/folder/attempts.hpp"
#include "cluster/small_study.hpp"
#include "scratch_folder.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using archive::Outcome;

namespace {

/// Hands out `notes` in order, and keeps what the worker says.
class ScriptedCoordinator final : public Transport {
  public:
    explicit ScriptedCoordinator(std::deque<Message> notes) : notes_(std::move(notes)) {}
    int rank() const override { return 1; }
    int size() const override { return 2; }
    double now() const override { return 0; }
    void wait_briefly() override {}
    void send(std::span<const std::byte> bytes, int) override { said.push_back(decode(bytes)); }
    std::optional<Envelope> try_receive() override {
        // Assignments wait until the worker asks for one; a stop comes at any time if it is impatient.
        if (notes_.empty()) return std::nullopt;
        const bool asked = !said.empty() && std::holds_alternative<Ready>(said.back());
        const bool waits = std::holds_alternative<Assign>(notes_.front()) || !impatient;
        if (waits && !asked) return std::nullopt;
        Envelope envelope{0, encode(notes_.front())};
        notes_.pop_front();
        return envelope;
    }
    bool impatient = false;
    std::vector<Message> said;

  private:
    std::deque<Message> notes_;
};

class WorkerTest : public testing::Test {
  protected:
    WorkerTest() : study_(test::study_of({2e9, 1e9})) {
        corpus_ = test::write_small_corpus(folder_.path());
        std::filesystem::create_directories(run_folder_.trials);
        std::filesystem::create_directory(run_folder_.attempts);
        std::ofstream(run_folder_.lock) << R"({"lease": "ours"})";
    }

    std::vector<Message> work_through(std::deque<Message> notes, const TrainTrial& training,
                                      bool impatient = false) {
        ScriptedCoordinator coordinator(std::move(notes));
        coordinator.impatient = impatient;
        const auto tokens = data::TokenFile::open(corpus_);
        const Workplace workplace{.study = study_,
                                  .tokens = *tokens,
                                  .folder = run_folder_,
                                  .train = training,
                                  .instruction_set = "none",
                                  .seconds_per_step = seconds_per_step_};
        work(
            coordinator, workplace,
            [](const Assign&, std::function<bool()>) { return std::make_unique<GroupOfOne>(); },
            [] { return false; });
        return coordinator.said;
    }

    static std::vector<Finished> finished_among(const std::vector<Message>& said) {
        std::vector<Finished> finished;
        for (const Message& message : said)
            if (const auto* one = std::get_if<Finished>(&message)) finished.push_back(*one);
        return finished;
    }

    ScratchFolder folder_;
    archive::RunFolder run_folder_{folder_ / "out.h5"};
    study::Study study_;
    MeasureStep seconds_per_step_;
    std::filesystem::path corpus_;
};

}  // namespace

TEST_F(WorkerTest, trainsWhatItIsGivenReportsAndAsksForMore) {
    const auto said =
        work_through({Assign{1, 0, {1}, "ours"}, Assign{2, 1, {1}, "ours"}, Stop{}},
                     test::FakeTraining{.troubles = {{1, test::Trouble::no_memory}}, .seconds_per_step = 0});
    const auto finished = finished_among(said);
    ASSERT_EQ(finished.size(), 2u);
    EXPECT_EQ(finished[0].outcome, Outcome::completed);
    EXPECT_TRUE(finished[0].stored);
    EXPECT_EQ(finished[0].steps_done, 10);
    EXPECT_EQ(finished[1].outcome, Outcome::out_of_memory);
    EXPECT_TRUE(finished[1].stored) << "a failure is data too";
    ASSERT_GE(said.size(), 2u);
    EXPECT_TRUE(std::holds_alternative<Here>(said[0]));
    EXPECT_TRUE(std::holds_alternative<Ready>(said[1]));
}

TEST_F(WorkerTest, measuresItsShareBeforeItAsksForWork) {
    study_ = test::study_of({2e13, 1e13});
    study_.grid.trials[1].trial.shape.width = 16;
    seconds_per_step_ = [](const study::Trial& trial) -> double {
        if (trial.shape.width == 16) throw std::bad_alloc();
        return 0.25;
    };
    const std::vector<Message> said = work_through({Assign{1, 0, {1}, "ours"}, Stop{}}, test::FakeTraining{});
    ASSERT_GE(said.size(), 4u);
    EXPECT_TRUE(std::holds_alternative<Here>(said[0]));
    EXPECT_EQ(said[1], Message(Measured{0, 0.25}));
    EXPECT_EQ(said[2], Message(Ready{})) << "what does not fit is told when it is trained";
}

TEST_F(WorkerTest, trainsWhatCannotBeMeasuredAndMeasuresNothingThatHasEndedItsProcess) {
    study_ = test::study_of({2e13, 1e13});
    study_.grid.trials[1].trial.shape.width = 16;
    std::vector<std::string> marks;
    seconds_per_step_ = [&](const study::Trial& trial) -> double {
        for (const auto& entry : std::filesystem::directory_iterator(run_folder_.attempts))
            marks.push_back(entry.path().filename().string());
        if (trial.shape.width == 16) throw std::runtime_error("a disk is on fire");
        return 0.25;
    };
    const std::deque<Message> notes = {Assign{1, 0, {1}, "ours"}, Stop{}};
    const std::vector<Message> said = work_through(notes, test::FakeTraining{});
    ASSERT_GE(said.size(), 4u);
    EXPECT_EQ(said[1], Message(Measured{0, 0.25}));
    EXPECT_EQ(said[2], Message(Ready{})) << "one trial ends no sweep";
    ASSERT_EQ(marks.size(), 2u);
    EXPECT_TRUE(std::filesystem::is_empty(run_folder_.attempts));

    // As after SIGKILL in the middle of the first one, and a crash in a trial of the second shape.
    std::ofstream(run_folder_.attempts / marks[0]) << "node7\n";
    note_attempt(run_folder_.attempts, study_.grid.trials[1], Outcome::failed, 1, "it crashed",
                 /*alone=*/true,
                 /*threads=*/1);
    marks.clear();
    const std::vector<Message> next = work_through(notes, test::FakeTraining{});
    EXPECT_TRUE(marks.empty()) << "measured again: " << marks[0];
    EXPECT_EQ(next[1], Message(Ready{}));
}

TEST_F(WorkerTest, measuresNothingOnACardThatItHasLost) {
    study_ = test::study_of({2e13});
    int measured = 0;
    seconds_per_step_ = [&](const study::Trial&) -> double {
        ++measured;
        throw kernels::CardLost("computing failed (CUDA error 700)");
    };
    EXPECT_THROW(work_through({Stop{}}, test::FakeTraining{}), kernels::CardLost);
    EXPECT_EQ(read_attempts(run_folder_.attempts, study_.grid.trials[0]).cards_lost, 1);
    work_through({Stop{}}, test::FakeTraining{});
    EXPECT_EQ(measured, 1) << "it would end every start";
}

TEST_F(WorkerTest, computesWithOneThreadWhereMemoryWasNotEnough) {
    study_.job.threads_per_rank = 4;
    note_attempt(run_folder_.attempts, study_.grid.trials[1], Outcome::out_of_memory, 1, "too large",
                 /*alone=*/true, /*threads=*/1);
    std::vector<int> threads;
    const TrainTrial training = [&](const study::Trial& trial, const data::TokenFile& tokens,
                                    train::Communicator& group, const train::TrainOptions& options) {
        threads.push_back(options.threads);
        return test::FakeTraining{}(trial, tokens, group, options);
    };
    work_through({Assign{1, 0, {1}, "ours"}, Assign{2, 1, {1}, "ours"}, Stop{}}, training);
    EXPECT_EQ(threads, (std::vector<int>{4, 1}));
}

TEST_F(WorkerTest, endsWithItsCardAndBlamesOnlyATrialThatWasAloneThere) {
    const test::FakeTraining training{.troubles = {{1, test::Trouble::card_lost}}, .seconds_per_step = 0};
    Assign among_others{1, 1, {1}, "ours"}, alone{2, 1, {1}, "ours"};
    among_others.alone = false;
    EXPECT_THROW(work_through({among_others, Stop{}}, training), kernels::CardLost);
    const Attempts first = read_attempts(run_folder_.attempts, study_.grid.trials[1]);
    EXPECT_TRUE(first.crowded);
    EXPECT_EQ(first.cards_lost, 0);
    EXPECT_THROW(work_through({alone, Stop{}}, training), kernels::CardLost);
    const Attempts second = read_attempts(run_folder_.attempts, study_.grid.trials[1]);
    EXPECT_EQ(second.cards_lost, 1);
    EXPECT_EQ(second.failed, 0) << "it may be the card";
    const study::PlannedTrial& killed_with_it = study_.grid.trials[0];
    std::ofstream(run_folder_.attempts / (archive::trial_file_stem(killed_with_it) + ".underway-0"))
        << "host none\n";
    note_disappeared(run_folder_.attempts, {});
    EXPECT_EQ(read_attempts(run_folder_.attempts, killed_with_it).disappeared, 0);
}

TEST_F(WorkerTest, stopsAtAStepBoundaryAndLeavesNoFile) {
    // The note to stop is there at the first look while training.
    const auto finished =
        finished_among(work_through({Assign{1, 0, {1}, "ours"}, Stop{}}, test::FakeTraining{}, true));
    ASSERT_EQ(finished.size(), 1u);
    EXPECT_EQ(finished[0].outcome, Outcome::interrupted);
    EXPECT_EQ(finished[0].steps_done, 1);
    EXPECT_FALSE(finished[0].stored);
}

TEST_F(WorkerTest, putsNothingInPlaceOnceTheLeaseIsLost) {
    const auto finished = finished_among(work_through(
        {Assign{1, 0, {1}, "an earlier lease"}, Assign{2, 1, {1}, "ours"}, Stop{}}, test::FakeTraining{}));
    ASSERT_GE(finished.size(), 1u);
    EXPECT_EQ(finished[0].outcome, Outcome::completed);
    EXPECT_FALSE(finished[0].stored);
    EXPECT_FALSE(finished[0].store_fault.empty());
}

TEST(Verdicts, areTheFirstTroubleThatIsAMembersOwn) {
    const Verdict well, follower{Outcome::failed, "another ended", true};
    const Verdict memory{Outcome::out_of_memory, "too large"}, fire{Outcome::failed, "fire"};
    EXPECT_EQ(agreed(std::vector{well, well}), well);
    EXPECT_EQ(agreed(std::vector{well, memory, fire}), memory);
    EXPECT_EQ(agreed(std::vector{follower, follower, fire, follower}), fire);
    EXPECT_EQ(agreed(std::vector{well, follower}), follower);
}

TEST_F(WorkerTest, endsATrialThatIsToPauseAndAsksForWork) {
    const auto said = work_through({Assign{1, 0, {1}, "ours"}, Pause{1}, Assign{2, 1, {1}, "ours"}, Stop{}},
                                   test::FakeTraining{}, /*impatient=*/true);
    const auto finished = finished_among(said);
    ASSERT_EQ(finished.size(), 2u);
    EXPECT_EQ(finished[0].outcome, Outcome::interrupted);
    EXPECT_LT(finished[0].steps_done, 10);
    EXPECT_FALSE(finished[0].stored) << "this training keeps no checkpoints";
}
