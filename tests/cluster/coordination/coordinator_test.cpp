#include "cluster/coordination/coordinator.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>
#include <set>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/messages/protocol.hpp"
#include "cluster/schedule/list_schedule.hpp"
#include "cluster/simulation/simulated_transport.hpp"
#include "cluster/small_study.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using test::SimulatedTransport;

namespace {

/// An isoFLOP grid: `sizes` trials of the same FLOPs in each of `budgets` budgets, 3.16 apart.
study::Study isoflop_study(int budgets, int sizes, std::int64_t leaves) {
    std::vector<double> flops;
    for (int budget = 0; budget < budgets; ++budget)
        for (int size = 0; size < sizes; ++size)
            flops.push_back(1e9 * std::pow(3.16, budget) * (1 + 1e-3 * size));
    return test::study_of(flops, leaves);
}

/// Notes that come at moments told beforehand, to a coordinator of two workers.
class ScriptedTransport final : public Transport {
  public:
    int rank() const override { return 0; }
    int size() const override { return 3; }
    void send(std::span<const std::byte> bytes, int) override { sent.push_back(decode(bytes)); }
    std::optional<Envelope> try_receive() override {
        if (notes_.empty() || notes_.front().first > now_) return {};
        Envelope envelope = std::move(notes_.front().second);
        notes_.pop_front();
        return envelope;
    }
    double now() const override { return now_; }
    void wait_briefly() override { now_ += 5; }
    void at(double when, int from, const Message& note) { notes_.push_back({when, {from, encode(note)}}); }

    std::vector<Message> sent;

  private:
    double now_ = 0;
    std::deque<std::pair<double, Envelope>> notes_;
};

}  // namespace

TEST(Coordinator, runsEveryTrialOnceOverAThousandRanks) {
    const study::Study study = isoflop_study(6, 1000, 1);
    const int workers = 999;
    SimulatedTransport transport(study, workers, 1e9);
    Sweep sweep(study, test::all_of(study), 0, workers);
    coordinate(transport, sweep, "lease", {});

    std::multiset<int> started;
    std::vector<double> seconds;
    for (const auto& start : transport.starts)
        started.insert(start.trial);
    for (const auto& planned : study.grid.trials)
        seconds.push_back(planned.flops(study::FlopConvention::exact) / 1e9);
    EXPECT_EQ(started.size(), study.grid.trials.size());
    EXPECT_EQ(std::set<int>(started.begin(), started.end()).size(), study.grid.trials.size());
    EXPECT_EQ(sweep.state(transport.now()).done, 6000);
    // The workers do what list scheduling longest first does on paper. Both add the same numbers along each
    // rank, at most 6000 of them, in the same order.
    EXPECT_DOUBLE_EQ(transport.now(), test::longest_first_makespan(seconds, workers));
}

TEST(Coordinator, leavesNoRankIdleWhileATrialWaits) {
    const study::Study study = isoflop_study(4, 7, 1);
    const int workers = 5;
    SimulatedTransport transport(study, workers, 1e9);
    Sweep sweep(study, test::all_of(study), 0, workers);
    coordinate(transport, sweep, "lease", {});
    ASSERT_EQ(transport.starts.size(), 28u);

    // At the moment the last trial starts every other worker is still busy, or starts something then too.
    const double last_start = transport.starts.back().time;
    int busy = 0;
    for (const auto& [time, trial, ranks] : transport.starts) {
        const double seconds =
            study.grid.trials[static_cast<std::size_t>(trial)].flops(study::FlopConvention::exact) / 1e9;
        if (time <= last_start && time + seconds > last_start) busy += static_cast<int>(ranks.size());
    }
    EXPECT_EQ(busy, workers);
}

/// An isoFLOP grid in which each size of model has a speed of its own, the last twice that of the first, so
/// that neither FLOPs nor names say how long a trial takes.
struct UnevenSweep {
    UnevenSweep(int budgets, int sizes, int leaves) : study(isoflop_study(budgets, sizes, leaves)) {
        for (std::size_t i = 0; i < study.grid.trials.size(); ++i) {
            study::PlannedTrial& planned = study.grid.trials[i];
            const int size = static_cast<int>(i) % sizes;
            planned.trial.shape.width = 8 * (size + 1);
            planned.parameters.mlp = 1000 << size;
            planned.trial.steps = 1000;  // progress is in whole steps
            planned.flops_per_token.exact /= 100;
            speeds.push_back(1e9 * (1 + size / double(sizes - 1)));
            seconds.push_back(planned.flops(study::FlopConvention::exact) / speeds.back());
        }
    }
    double work() const { return std::accumulate(seconds.begin(), seconds.end(), 0.0); }
    double longest() const { return *std::max_element(seconds.begin(), seconds.end()); }

    /// When the sweep ends, and the seconds that its `workers` were busy, added up.
    std::pair<double, double> run(int workers) const {
        SimulatedTransport transport(study, workers, 1e9);
        transport.speed_of = [&](int trial) { return speeds[static_cast<std::size_t>(trial)]; };
        transport.report_every = 0.5;
        // Worth it but for the FLOPs: these are seconds of a slow machine.
        if (study.grid.trials.size() < 8 * static_cast<std::size_t>(workers))
            for (const auto& planned : study.grid.trials)
                transport.measured.push_back(static_cast<int>(&planned - study.grid.trials.data()));
        Sweep sweep(study, test::all_of(study), 0, workers);
        coordinate(transport, sweep, "lease", {});
        return {transport.now(), transport.busy_rank_seconds};
    }

    study::Study study;
    std::vector<double> speeds, seconds;
};

TEST(Coordinator, endsWithinThreePercentOfTheWorkEvenlyShared) {
    for (const auto& [budgets, sizes] : {std::pair{4, 7}, {6, 9}, {8, 7}, {4, 5}})
        for (const int workers : {1, 2, 3, 4, 8, 16, 31}) {
            const UnevenSweep sweep(budgets, sizes, 4);
            const double share = sweep.work() / workers;
            if (sweep.longest() > 0.9 * share) continue;  // it must be shared, which costs
            EXPECT_LE(sweep.run(workers).first, 1.03 * share)
                << budgets << " x " << sizes << " on " << workers;
        }
}

TEST(Coordinator, letsRanksIdleForFivePercentAtMostWhereTrialsMustBeShared) {
    int cases = 0;
    for (const auto& [budgets, sizes] : {std::pair{4, 7}, {6, 9}, {8, 7}, {4, 5}})
        for (const int workers : {8, 16, 31, 63})
            for (const int leaves : {4, 8, 16}) {
                const UnevenSweep sweep(budgets, sizes, leaves);
                const double share = sweep.work() / workers;
                // Too long on one rank, and with leaves to spare.
                if (sweep.longest() < share || sweep.longest() / effective_ranks(leaves / 2) > share)
                    continue;
                const auto [end, busy] = sweep.run(workers);
                EXPECT_LE(end, 1.05 * busy / workers) << budgets << " x " << sizes << " on " << workers;
                ++cases;
            }
    EXPECT_GT(cases, 5);
}

/// A group of eight on four hosts, all the workers there are; one of them dies after 100 s.
TEST(Coordinator, givesUpOnlyTheMemberThatDied) {
    study::Study study = test::study_of({4000e9, 4000e9}, 8);
    study.job.ranks_per_trial = 8;
    test::Faults faults;
    faults.dies_at[8] = 100;
    SimulatedTransport transport(study, 16, 1e9, faults);
    transport.host_of = [](int rank) { return std::string(1, static_cast<char>('a' + (rank - 1) / 2)); };
    transport.report_every = 0.5;
    transport.longest_wait = 5;
    Sweep sweep(study, test::all_of(study), 0, 16);
    std::vector<std::string> said;
    coordinate(transport, sweep, "lease", {.say = [&](const std::string& text) { said.push_back(text); }});
    EXPECT_EQ(sweep.state(transport.now()).done, 2);
    EXPECT_EQ(std::count_if(said.begin(), said.end(),
                            [](const std::string& text) { return text.find("given up") != text.npos; }),
              1);
    EXPECT_TRUE(std::none_of(said.begin(), said.end(), [](const std::string& text) {
        return text.find("silence is now allowed") != text.npos;
    }));
}

/// Whose trials fail at once is idle first, and would have all of the grid.
TEST(Coordinator, setsARankOfASingleHostAsideThatFailsAllTrials) {
    const study::Study study = test::study_of(std::vector<double>(40, 1000e9), 1);
    for (const int bad : {1, 4}) {
        SimulatedTransport transport(study, 4, 1e9);
        transport.host_of = [](int) { return "h"; };
        transport.bad_ranks = {bad};
        transport.report_every = 0.5;
        Sweep sweep(study, test::all_of(study), 0, 4);
        std::vector<std::string> aside;
        coordinate(transport, sweep, "lease",
                   {.on_host_set_aside = [&](const std::string& host, const std::vector<int>&) {
                       aside.push_back(host);
                   }});
        EXPECT_EQ(aside, std::vector{"h rank " + std::to_string(bad)});
        EXPECT_EQ(sweep.state(transport.now()).done, 40);
        EXPECT_TRUE(sweep.state(transport.now()).failed.empty());
    }
}

/// Rank 1 is silent, and its trial goes to rank 2; then it wakes, and fails.
TEST(Coordinator, letsNoGivenUpAttemptThatFailsEndTheOneThatGoesWell) {
    const study::Study study = test::study_of({1000, 10});
    ScriptedTransport transport;
    transport.at(0, 1, Ready{});
    transport.at(0, 2, Ready{});
    transport.at(30, 2,
                 Finished{.attempt = 2, .trial = 1, .outcome = archive::Outcome::completed, .stored = true});
    transport.at(30, 2, Ready{2});
    for (double t = 40; t < 700; t += 10)
        transport.at(t, 2, Ready{2});
    for (double t = 700; t < 1500; t += 10)
        transport.at(t, 2, TrialProgress{3, 0, 9, 10});
    transport.at(1500, 1,
                 Finished{.attempt = 1, .trial = 0, .outcome = archive::Outcome::failed, .stored = true});
    transport.at(1500, 1, Ready{1});
    transport.at(1510, 2,
                 Finished{.attempt = 3, .trial = 0, .outcome = archive::Outcome::completed, .stored = true});
    transport.at(1510, 2, Ready{3});
    Sweep sweep(study, test::all_of(study), 0, 2);
    std::vector<std::pair<int, archive::Outcome>> finished;
    coordinate(transport, sweep, "lease",
               {.keep_going = [&](const Sweep&) { return transport.now() < 1600; },
                .on_finished =
                    [&](const Sweep&, const Finished& end) {
                        finished.push_back({end.trial, end.outcome});
                    }});
    EXPECT_THAT(finished, testing::ElementsAre(testing::Pair(1, archive::Outcome::completed),
                                               testing::Pair(0, archive::Outcome::completed)));
    EXPECT_TRUE(std::none_of(transport.sent.begin(), transport.sent.end(), [](const Message& note) {
        const auto* abandon = std::get_if<Abandon>(&note);
        return abandon != nullptr && abandon->attempt == 3;
    }));
}

TEST(Coordinator, spreadsAFewTrialsOverAllRanks) {
    const study::Study study = test::study_of({8e9, 4e9, 4e9}, 8);
    SimulatedTransport transport(study, 8, 1e9);
    Sweep sweep(study, test::all_of(study), 0, 8);
    coordinate(transport, sweep, "lease", {});
    // 4 + 2 + 2 ranks: all take about 2 s. One rank a trial would take 8.
    EXPECT_DOUBLE_EQ(transport.now(), 8 / effective_ranks(4));
}

TEST(Coordinator, doesTheSameThingEveryTime) {
    const study::Study study = isoflop_study(5, 9, 4);
    std::vector<std::vector<std::pair<int, std::vector<int>>>> runs(2);
    for (auto& run : runs) {
        SimulatedTransport transport(study, 13, 1e9);
        Sweep sweep(study, test::all_of(study), 0, 13);
        coordinate(transport, sweep, "lease", {});
        for (const auto& start : transport.starts)
            run.emplace_back(start.trial, start.ranks);
    }
    EXPECT_EQ(runs[0], runs[1]);
}

TEST(Coordinator, countsAFailedTrialAndGoesOn) {
    const study::Study study = test::study_of({3e9, 2e9, 1e9});
    SimulatedTransport transport(study, 1, 1e9);
    transport.outcomes = {{0, archive::Outcome::failed}, {1, archive::Outcome::diverged}};
    Sweep sweep(study, test::all_of(study), 0, 1);
    coordinate(transport, sweep, "lease", {});
    const SweepState state = sweep.state(transport.now());
    EXPECT_EQ(state.done, 3);
    EXPECT_EQ(state.diverged, 1);
    EXPECT_EQ(state.failed, (std::vector<FailedTrial>{{"t0", "failed", "injected"}}));
}

TEST(Coordinator, setsAHostAsideWhereTrialAfterTrialFailsAndTriesThoseElsewhere) {
    const study::Study study = isoflop_study(2, 10, 1);
    SimulatedTransport transport(study, 4, 1e9);
    transport.host_of = [](int rank) { return rank <= 2 ? "good" : "bad"; };
    transport.bad_hosts = {"bad"};
    Sweep sweep(study, test::all_of(study), 0, 4);
    std::string said;
    std::vector<std::string> aside;
    coordinate(transport, sweep, "lease",
               {.say = [&](const std::string& text) { said += text; },
                .on_host_set_aside = [&](const std::string& host,
                                         const std::vector<int>&) { aside.push_back(host); }});
    const SweepState state = sweep.state(transport.now());
    EXPECT_EQ(state.done, 20);
    EXPECT_THAT(state.failed, testing::IsEmpty()) << "what failed on the bad host is nobody's fault";
    EXPECT_THAT(aside, testing::ElementsAre("bad"));
    EXPECT_THAT(state.set_aside, testing::ElementsAre("bad"));
    EXPECT_THAT(said, testing::HasSubstr("host bad is set aside"));
    const archive::Facts facts = with_account({}, sweep.account());
    EXPECT_EQ(facts.back(), (archive::Fact{"sweep_hosts_set_aside", "bad"}));
    int there = 0;
    for (const auto& start : transport.starts)
        there += start.ranks.front() > 2;
    EXPECT_LE(there, 4) << "two trials fail there side by side, each twice at most";
}

TEST(Coordinator, stopsStartingTrialsWhenAskedToAndWaitsForThoseThatRun) {
    const study::Study study = test::study_of({4e9, 3e9, 2e9, 1e9});
    SimulatedTransport transport(study, 2, 1e9);
    Sweep sweep(study, test::all_of(study), 0, 2);
    int ended = 0;
    coordinate(transport, sweep, "lease",
               {.keep_going = [&](const Sweep&) { return ended == 0; },
                .on_finished = [&](const Sweep&, const Finished&) { ++ended; }});
    EXPECT_EQ(transport.starts.size(), 2u);
    EXPECT_EQ(ended, 2);
    EXPECT_TRUE(sweep.stopped());
    EXPECT_THAT(transport.stopped, testing::ElementsAre(1, 2)) << "each worker is told once";
}

TEST(Coordinator, sendsItsWorkersHomeWhereNothingThatIsLeftCanEndInTime) {
    // 4 s on one rank, then 3 s, which would end after 5 s.
    const study::Study study = test::study_of({4e9, 3e9});
    SimulatedTransport transport(study, 1, 1e9);
    Sweep sweep(study, test::all_of(study), 0, 1);
    sweep.ends_at(5, /*least_worth=*/2);
    coordinate(transport, sweep, "lease", {});
    EXPECT_EQ(transport.starts.size(), 1u);
    EXPECT_TRUE(sweep.stopped());
    EXPECT_THAT(transport.stopped, testing::ElementsAre(1));
}

TEST(Coordinator, takesAnInterruptedTrialForTheEndOfTheSweep) {
    // A worker got the signal before the coordinator did.
    const study::Study study = test::study_of({4e9, 3e9, 2e9});
    SimulatedTransport transport(study, 1, 1e9);
    transport.outcomes = {{0, archive::Outcome::interrupted}};
    Sweep sweep(study, test::all_of(study), 0, 1);
    coordinate(transport, sweep, "lease", {});
    EXPECT_EQ(transport.starts.size(), 1u);
    EXPECT_TRUE(sweep.stopped());
    EXPECT_EQ(sweep.state(transport.now()).done, 0);
}

TEST(Coordinator, accountsForTheTimeOfItsRanksBesideWhatWasPredicted) {
    // 4 | 3, then 2 and 1: both ranks work for 5 s.
    const study::Study study = test::study_of({4e9, 3e9, 2e9, 1e9});
    SimulatedTransport transport(study, 2, 1e9);
    Sweep sweep(study, test::all_of(study), 0, 2);
    coordinate(transport, sweep, "lease", {});
    const SweepAccount account = sweep.account();
    EXPECT_DOUBLE_EQ(account.seconds, 5);
    EXPECT_DOUBLE_EQ(account.busy_rank_seconds, 10);
    EXPECT_DOUBLE_EQ(account.idle_share(), 0);
    EXPECT_DOUBLE_EQ(account.predicted_at, 3) << "the first trial's end shows how fast they are";
    EXPECT_NEAR(account.predicted_seconds, 5, 1e-9);
    EXPECT_NEAR(account.lower_bound_seconds, 5, 1e-8);

    const archive::Facts facts = with_account({{"mpi", "4"}}, account);
    ASSERT_EQ(facts.size(), 7u);
    EXPECT_EQ(facts[0], (archive::Fact{"mpi", "4"}));
    EXPECT_EQ(facts[2], (archive::Fact{"sweep_seconds", "5"}));
    EXPECT_EQ(with_account({}, {}).size(), 0u) << "nothing was trained";
}

namespace {

/// Two trials of 100 s, one of which takes three times as long, on two workers.
struct LateTrial {
    explicit LateTrial(test::Faults faults = {}) : transport(study, 2, 1e9, std::move(faults)) {
        for (study::PlannedTrial& planned : study.grid.trials) {
            planned.trial.steps = 1000;
            planned.flops_per_token.exact /= 100;
        }
        transport.speed_of = [](int trial) { return trial == 0 ? 1e9 / 3 : 1e9; };
        transport.report_every = 5;
        Sweep sweep(study, test::all_of(study), 0, 2);
        coordinate(transport, sweep, "lease", {});
        EXPECT_EQ(sweep.state(transport.now()).done, 2);
        EXPECT_EQ(transport.stored, (std::map<int, int>{{0, 1}, {1, 1}}));
    }
    study::Study study = test::study_of({100e9, 100e9}, 2);
    SimulatedTransport transport;
};

}  // namespace

TEST(Coordinator, letsIdleRanksJoinATrialThatTurnsOutLong) {
    const LateTrial late;
    ASSERT_EQ(late.transport.starts.size(), 3u);
    EXPECT_EQ(late.transport.starts[2].trial, 0);
    EXPECT_EQ(late.transport.starts[2].ranks, (std::vector<int>{1, 2}));
    // 200 s are left after 100. Rank 0 hears of both every 5 s, asks when the other has 6 s left at most, and
    // going on takes 2 s.
    EXPECT_NEAR(late.transport.now(), 100 + 200 / effective_ranks(2) + 2, 5.3);
}

TEST(Coordinator, losesNoTrialWhoseCheckpointFindsTheDiskFull) {
    test::Faults faults;
    faults.disk_full = {90, 99};  // it pauses when the other has 6 s left at most
    const LateTrial late(faults);
    EXPECT_EQ(late.transport.paused, 1) << "asked again it would lose all it did again";
    EXPECT_NEAR(late.transport.now(), 100 + 300 / effective_ranks(2), 5.3);
}
