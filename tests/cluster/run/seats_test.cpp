// Seats of one process, without MPI: notes by way of a post office, threads that train.
#include <atomic>
#include <csignal>
#include <stdexcept>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/archive.hpp"
#include "cluster/fake_training.hpp"
#include "cluster/messages/post_office.hpp"
#include "cluster/messages/seat_notes.hpp"
#include "cluster/run/run.hpp"
#include "cluster/small_study.hpp"
#include "cluster/worker/seat_threads.hpp"
#include "program/ending.hpp"
#include "scratch_folder.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using program::exit_done, program::exit_interrupted;
using test::FakeTraining;
using test::Trouble;
using testing::HasSubstr;

namespace {

std::vector<std::byte> note_of(int value) {
    return {static_cast<std::byte>(value)};
}

/// A line between ranks 0 and 1: what one end sends, the other receives.
class Line final : public Transport {
  public:
    Line(PostOffice& office, int rank) : office_(office), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return 2; }
    void send(std::span<const std::byte> bytes, int to) override {
        office_.post({.from = rank_, .bytes = {bytes.begin(), bytes.end()}}, to);
    }
    std::optional<Envelope> try_receive() override { return office_.take(rank_); }
    double now() const override { return 0; }
    void wait_briefly() override { office_.wait(rank_, std::chrono::milliseconds(1)); }

  private:
    PostOffice& office_;
    int rank_;
};

/// A sweep of six trials in this process: alone, or on seats.
class SweepOnSeats : public testing::Test {
  protected:
    SweepOnSeats() { study_.job.token_file = test::write_small_corpus(folder_.path()); }

    int run(int seats, const FakeTraining& training) {
        CardPlan card_plan;
        card_plan.cards = {.seats = {.ranks = 1, .each = seats}, .bytes = 0, .measure = false};
        const TrainTrial train = [&](const study::Trial& trial, const data::TokenFile& tokens,
                                     train::Communicator& group, const train::TrainOptions& options) {
            const int now = ++training_now_;
            for (int most = most_at_once_; now > most && !most_at_once_.compare_exchange_weak(most, now);) {
            }
            struct Leave {
                std::atomic<int>& training_now;
                ~Leave() { --training_now; }
            } const leave{training_now_};
            return training(trial, tokens, group, options);
        };
        testing::internal::CaptureStdout();
        const int code = run_sweep({.study = study_,
                                    .archive = archive_,
                                    .train = train,
                                    .instruction_set = "none",
                                    .alone = true,
                                    .card_plan = card_plan,
                                    .machine = [&] { return Machine{.train = train}; }},
                                   session_);
        output_ = testing::internal::GetCapturedStdout();
        return code;
    }

    std::string digest_and_remove() {
        const auto read = archive::read_archive(archive_, archive::WeightsUse::keep);
        if (!read) return base::to_string(read.error());
        std::filesystem::remove(archive_);
        return archive::archive_digest(read->trials);
    }

    ScratchFolder folder_;
    study::Study study_ = test::study_of({6e9, 5e9, 4e9, 3e9, 2e9, 1e9});
    std::filesystem::path archive_ = folder_ / "out.h5";
    MpiSession session_;
    std::atomic<int> training_now_{0}, most_at_once_{0};
    std::string output_;
};

}  // namespace

TEST(Notes, findTheirSeatsAndSayWhoseTheyAre) {
    PostOffice line(2), office(4);
    Line coordinators_end(line, 0), workers_end(line, 1);
    const Seats seats{.ranks = 1, .each = 3};
    SeatedTransport coordinator(coordinators_end, seats);
    EXPECT_EQ(coordinator.size(), 4);

    Desk second(office, 2, 2, 4);
    second.send(note_of(42), 0);
    for (const int worker : {3, 1})
        coordinator.send(note_of(worker), worker);
    int looks = 0;
    carry_notes(workers_end, office, [&] { return ++looks > 3; });
    const auto heard = coordinator.try_receive();
    ASSERT_TRUE(heard);
    EXPECT_EQ(heard->from, 2);
    EXPECT_EQ(heard->bytes, note_of(42));
    EXPECT_FALSE(coordinator.try_receive());
    EXPECT_EQ(office.take(1)->bytes, note_of(1));
    EXPECT_FALSE(office.take(2));
    EXPECT_EQ(office.take(3)->bytes, note_of(3));
}

TEST(Notes, keepTheirOrderBetweenThreads) {
    PostOffice office(3);
    constexpr int notes = 200;
    const auto say = [&](int box) {
        Desk desk(office, box, box, 3);
        for (int i = 0; i < notes; ++i)
            desk.send(note_of(i), 0);
    };
    std::thread one(say, 1), two(say, 2);
    Desk listener(office, 0, 0, 3);
    std::vector<int> next(3, 0);
    while (next[1] + next[2] < 2 * notes) {
        const auto heard = listener.try_receive();
        if (!heard) {
            listener.wait_briefly();
            continue;
        }
        EXPECT_EQ(heard->bytes, note_of(next[static_cast<std::size_t>(heard->from)]++));
    }
    one.join();
    two.join();
}

TEST(ThreadsOfSeats, sayWhatWentWrongAndSendTheOthersHome) {
    std::atomic<bool> home = false;
    const auto live = [&](int seat) {
        if (seat == 1) throw std::runtime_error("a seat is broken");
        while (!home)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
    };
    const auto until_one_throws = [&] {
        SeatThreads threads(3, live, [&] { home = true; });
        while (true)
            threads.rethrow();
    };
    EXPECT_THROW(until_one_throws(), std::runtime_error);
    EXPECT_TRUE(home);
}

TEST_F(SweepOnSeats, givesTheDigestOfOneTrialAfterTheOther) {
    ASSERT_EQ(run(1, {.seconds_per_step = 0.002}), exit_done);
    EXPECT_EQ(most_at_once_, 1);
    const std::string digest = digest_and_remove();
    for (const int seats : {2, 3, 8}) {
        most_at_once_ = 0;
        ASSERT_EQ(run(seats, {.seconds_per_step = 0.02}), exit_done);
        EXPECT_EQ(digest_and_remove(), digest) << seats << " seats";
        EXPECT_GT(most_at_once_, 1);
        EXPECT_LE(most_at_once_, seats);
        EXPECT_THAT(output_, HasSubstr(std::to_string(seats) + " trials on a card at once"));
    }
}

TEST_F(SweepOnSeats, recordsWhatOneTrialLacksAndGoesOn) {
    ASSERT_EQ(run(3, {.troubles = {{1, Trouble::no_memory}, {4, Trouble::exception}}}), exit_done);
    const auto read = archive::read_archive(archive_, archive::WeightsUse::keep);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->trials[1].result.outcome, archive::Outcome::out_of_memory);
    EXPECT_EQ(read->trials[4].result.outcome, archive::Outcome::failed);
    for (const std::size_t trial : {0, 2, 3, 5})
        EXPECT_EQ(read->trials[trial].result.outcome, archive::Outcome::completed);
}

TEST_F(SweepOnSeats, stopsAllSeatsAtASignalAndGoesOnAfterwards) {
    ASSERT_EQ(run(1, {}), exit_done);
    const std::string digest = digest_and_remove();
    FakeTraining interrupted{.seconds_per_step = 0.01};
    std::atomic<int> steps = 0;
    interrupted.on_step = [&](int) {
        if (++steps == 15) raise(SIGUSR1);
    };
    EXPECT_EQ(run(3, interrupted), exit_interrupted);
    EXPECT_EQ(training_now_, 0);
    EXPECT_EQ(run(2, {}), exit_done);
    EXPECT_EQ(digest_and_remove(), digest);
}
