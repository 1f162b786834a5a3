// Whole sweeps, from the first job of an allocation to the last, through every kind of fault: coordinator,
// scheduler and protocol are the real ones, workers and time are simulated.
//
//   ISOGRID_SIMULATION_SEEDS=5000 build/bin/test_cluster --gtest_filter=Simulation.*   as many histories
//   ISOGRID_SIMULATION_FIRST=4711 ISOGRID_SIMULATION_SEEDS=1 ...                       one of them again
//   ISOGRID_SIMULATION_RANKS=10000 ...                                            one on so many ranks
#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>

#include <gtest/gtest.h>

#include "cluster/coordination/coordinator.hpp"
#include "cluster/small_study.hpp"
#include "draws.hpp"
#include "simulated_transport.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using test::Draws;
using test::SimulatedTransport;

namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* value = std::getenv(variable);
    return value != nullptr ? std::strtoull(value, nullptr, 10) : otherwise;
}

constexpr double silence_limit = 60;

struct JobKilled {};

/// One study on one allocation: jobs that end, each for its reason, until all trials are on disk.
class Story {
  public:
    /// On `workers` workers; 0 for some dozens and hundreds of trials.
    explicit Story(std::uint64_t seed, int workers = 0, int trials = 0) : draws_(seed), workers_(workers) {
        if (workers == 0) {
            workers_ = static_cast<int>(draws_.log_uniform(1, 48));
            trials = static_cast<int>(draws_.log_uniform(1, 300));
        }
        const std::int64_t leaves = std::int64_t{1} << static_cast<int>(draws_.uniform(0, 5));
        std::vector<double> flops;
        for (int i = 0; i < trials; ++i)
            flops.push_back(1e9 * draws_.log_uniform(5, 300));
        study_ = test::study_of(flops, draws_.chance(0.3) ? 1 : leaves);
        if (leaves >= 2 && draws_.chance(0.2)) study_.job.ranks_per_trial = 2;
        for (study::PlannedTrial& planned : study_.grid.trials) {
            planned.trial.steps *= 100;  // progress is in whole steps
            planned.flops_per_token.exact /= 100;
            planned.parameters.mlp = 1000 << static_cast<int>(draws_.uniform(0, 6));
            const int trial = static_cast<int>(slowness_.size());
            slowness_.push_back(std::exp(0.2 * draws_.normal()));
            constexpr std::array bad = {archive::Outcome::failed, archive::Outcome::diverged,
                                        archive::Outcome::out_of_memory};
            if (draws_.chance(0.05)) outcomes_[trial] = bad[draws_.word() % bad.size()];
            work_ += planned.flops(study::FlopConvention::exact) / 1e9;
        }
        if (trials < 1000) share_cards(seed);
    }

    void run() {
        constexpr int faulty_jobs = 8, most_jobs = 20;
        int jobs = 0;
        while (on_disk_.size() < study_.grid.trials.size() && !testing::Test::HasFailure()) {
            ASSERT_LT(jobs, most_jobs) << "the study never ends";
            SCOPED_TRACE("job " + std::to_string(jobs) + " on " + std::to_string(workers_) + " workers");
            job(jobs < faulty_jobs);
            ++jobs;
        }
    }

    int packed = 0, jobs_killed = 0, jobs_stopped = 0, gone = 0, back = 0, not_stored = 0, restarted = 0,
        aside = 0;

  private:
    /// In a third of the stories workers are seats of cards, which trials share.
    void share_cards(std::uint64_t seed) {
        Draws draws(seed + 1'000'000'007);  // of its own: the others' stories stay as they were
        if (!draws.chance(1.0 / 3) || study_.job.ranks_per_trial > 0) return;
        const int each = static_cast<int>(draws.log_uniform(2, 9));
        cards_.cards = {.seats = {.ranks = std::max(1, workers_ / each), .each = each},
                        .bytes = draws.chance(0.5) ? 100 : 0,
                        .measure = draws.chance(0.5)};
        full_ = static_cast<int>(draws.log_uniform(1, 9));
        workers_ = cards_.cards.seats.workers();
        for (std::size_t trial = 0; trial < study_.grid.trials.size(); ++trial)
            cards_.bytes.push_back(static_cast<std::int64_t>(draws.uniform(1, 90)));
        ++packed;
    }

    double share() const { return work_ / workers_ + 300; }  // seconds that a job takes, about

    test::Faults faults() {
        test::Faults faults;
        faults.seed = draws_.word();
        const bool deaths = draws_.chance(0.5), slowness = draws_.chance(0.3), mutes = draws_.chance(0.3);
        const double mortality = draws_.chance(0.1) ? 1 : 0.2;
        for (int rank = 1; rank <= workers_; ++rank) {
            if (deaths && draws_.chance(mortality)) faults.dies_at[rank] = draws_.uniform(0, 1.5 * share());
            if (slowness && draws_.chance(0.2))
                faults.slow[rank] = {draws_.uniform(0, share()), draws_.uniform(1, 10)};
            if (mutes && draws_.chance(0.2)) {
                const double from = draws_.uniform(0, share());
                faults.mute[rank] = {from, from + draws_.uniform(0, 4 * silence_limit)};
            }
        }
        if (draws_.chance(0.5)) faults.delay = draws_.uniform(0, 5);
        if (draws_.chance(0.5)) {
            faults.duplicates = draws_.uniform(0, 0.3);
            faults.duplicate_late = draws_.uniform(0, 2 * silence_limit);
        }
        if (draws_.chance(0.2)) {
            const double from = draws_.uniform(0, share());
            faults.disk_full = {from, from + draws_.uniform(0, share())};
        }
        return faults;
    }

    void job(bool faulty) {
        const test::Faults faults = faulty ? this->faults() : test::Faults{};
        const double walltime = faulty && draws_.chance(0.4) ? draws_.uniform(0, 1.2 * share()) : test::never;
        const double killed_at =
            faulty && draws_.chance(0.2) ? draws_.uniform(0, 1.2 * share()) : test::never;
        std::vector<int> to_do;
        for (const int trial : test::all_of(study_))
            if (!on_disk_.contains(trial)) to_do.push_back(trial);
        const int done_before = static_cast<int>(on_disk_.size());

        SimulatedTransport transport(study_, workers_, 1e9, faults);
        transport.speed_of = [&](int trial) { return 1e9 / slowness_[static_cast<std::size_t>(trial)]; };
        transport.outcomes = outcomes_;
        transport.report_every = 5;
        const bool hosts_known = draws_.chance(0.5);
        const Seats& seats = cards_.cards.seats;
        if (seats.each > 1) {
            transport.seats = seats;
            transport.card_speed = [&](int together) { return std::min(together, full_); };
        }
        if (hosts_known)
            transport.host_of = [&](int worker) {
                return "node" + std::to_string(seats.rank_of(worker) / 4);
            };
        if (hosts_known && faulty && draws_.chance(0.4))
            transport.bad_hosts = {"node" + std::to_string(draws_.word() % 3)};
        transport.longest_wait = 2;
        transport.ends_by = 100 * (work_ + 1000);
        Sweep sweep(study_, to_do, done_before, seats.each > 1 ? seats.ranks : workers_, {}, cards_);
        constexpr double least_worth = 100;
        const bool knows_its_end = walltime < test::never && draws_.chance(0.7);
        if (knows_its_end) sweep.ends_at(walltime, least_worth);
        bool none_left = false;
        int most_ranks_needed = 1, present = workers_;  // as rank 0 has it
        int waits = 0;
        transport.on_wait = [&] {
            if (workers_ > 1000 && ++waits % 1000 != 0) return;  // looking at all ranks takes a while
            const int group = sweep.next_group();
            most_ranks_needed = std::max(most_ranks_needed, group);
            if (transport.starts.empty() || sweep.stopped() || group == 0) return;
            if (knows_its_end && transport.now() > walltime - least_worth) return;  // it may be too long
            if (seats.each > 1)
                EXPECT_FALSE(sweep.has_room()) << "work fits at " << transport.now() << " s";
            else
                EXPECT_LT(transport.idle() - sweep.kept_for_pauses(transport.now()), group)
                    << "work fits at " << transport.now() << " s";
        };
        std::set<int> recorded, failed;
        const CoordinatorHooks hooks{
            .keep_going =
                [&](const Sweep& now) {
                    // A trial that lacked memory may need more ranks than there are, and end it at once.
                    most_ranks_needed = std::max(most_ranks_needed, now.next_group());
                    if (transport.now() >= killed_at) throw JobKilled();
                    return transport.now() < walltime;
                },
            .on_finished =
                [&](const Sweep& now, const Finished& finished) {
                    if (now.done() == done_before + static_cast<int>(recorded.size()))
                        return;  // to be tried again
                    EXPECT_TRUE(recorded.insert(finished.trial).second)
                        << "trial " << finished.trial << " is recorded twice";
                    if (finished.outcome == archive::Outcome::failed) failed.insert(finished.trial);
                    if (finished.cause == "a bad host") return;
                    EXPECT_TRUE(transport.stored.contains(finished.trial))
                        << "trial " << finished.trial << " is recorded without a file";
                },
            .say =
                [&](const std::string& text) {
                    const bool left = text.find("given up") != std::string::npos;
                    const bool came = text.find("there again") != std::string::npos;
                    gone += left, back += came, present += came - left;
                    none_left = none_left || text.find("no worker is left") != std::string::npos;
                },
            .on_host_set_aside =
                [&](const std::string& host, const std::vector<int>& trials) {
                    ++aside;
                    transport.set_aside.insert(host);
                    for (int rank = 1; rank <= workers_; ++rank)
                        present -=
                            transport.host_of(rank) == host ||
                            transport.host_of(rank) + " rank " + std::to_string(seats.rank_of(rank)) == host;
                    for (const int trial : trials)
                        if (failed.contains(trial)) recorded.erase(trial);  // it waits again
                }};
        try {
            coordinate(transport, sweep, "lease", hooks, silence_limit);
            const SweepState state = sweep.state(transport.now());
            EXPECT_TRUE(state.running.empty());
            EXPECT_EQ(state.done, done_before + static_cast<int>(recorded.size()));
            if (sweep.stopped()) {
                EXPECT_TRUE(transport.now() >= walltime - (knows_its_end ? least_worth : 0) || none_left ||
                            most_ranks_needed > present / seats.each || sweep.store_faults().size() >= 2 ||
                            sweep.place_is_bad())
                    << "it stopped without a reason";
                EXPECT_EQ(std::set(transport.stopped.begin(), transport.stopped.end()).size(),
                          static_cast<std::size_t>(transport.size() - 1))
                    << "a worker waits for ever";
            } else {
                EXPECT_EQ(recorded.size() + sweep.store_faults().size(), to_do.size()) << "a trial is lost";
            }
            jobs_stopped += sweep.stopped();
            not_stored += static_cast<int>(sweep.store_faults().size());
        } catch (const JobKilled&) {
            ++jobs_killed;
        } catch (const std::logic_error& error) {
            ADD_FAILURE() << error.what();
        }
        for (const auto& [trial, times] : transport.stored)
            if (const auto bad = outcomes_.find(trial);
                bad == outcomes_.end() || archive::is_finished(bad->second))
                on_disk_.insert(trial);
        std::set<int> started;
        for (const auto& start : transport.starts)
            restarted += !started.insert(start.trial).second;
        on_disk_.insert(recorded.begin(), recorded.end());  // those set aside among them
    }

    Draws draws_;
    int workers_ = 1;
    study::Study study_;
    double work_ = 0;  ///< seconds of one rank
    std::vector<double> slowness_;
    std::map<int, archive::Outcome> outcomes_;
    std::set<int> on_disk_;
    CardPlan cards_;
    int full_ = 1;  ///< trials that a card is full with
};

}  // namespace

TEST(Simulation, bringsTenTrialsOfEachOfManyRanksHome) {
    const auto ranks = static_cast<int>(number_from("ISOGRID_SIMULATION_RANKS", 500));
    Story story(number_from("ISOGRID_SIMULATION_FIRST", 1), ranks, 10 * ranks);
    story.run();
    std::cout << ranks << " ranks, " << 10 * ranks << " trials: " << story.jobs_killed << " jobs killed, "
              << story.jobs_stopped << " stopped, " << story.gone << " ranks given up, " << story.restarted
              << " trials started again\n";
}

TEST(Simulation, losesNoTrialRecordsNoneTwiceAndEndsWhateverGoesWrong) {
    const std::uint64_t first = number_from("ISOGRID_SIMULATION_FIRST", 1);
    const std::uint64_t seeds = number_from("ISOGRID_SIMULATION_SEEDS", 1000);
    int killed = 0, stopped = 0, gone = 0, back = 0, not_stored = 0, restarted = 0, aside = 0, packed = 0;
    for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
        SCOPED_TRACE("again: ISOGRID_SIMULATION_FIRST=" + std::to_string(seed) +
                     " ISOGRID_SIMULATION_SEEDS=1 build/bin/test_cluster --gtest_filter=Simulation.*");
        Story story(seed);
        story.run();
        killed += story.jobs_killed, stopped += story.jobs_stopped, gone += story.gone;
        back += story.back, not_stored += story.not_stored, restarted += story.restarted;
        aside += story.aside, packed += story.packed;
        if (HasFailure()) break;
    }
    std::cout << seeds << " histories: " << killed << " jobs killed, " << stopped << " stopped, " << gone
              << " ranks given up, " << back << " of them back, " << not_stored
              << " trials found the disk full, " << restarted << " were started again, " << aside
              << " hosts set aside; in " << packed << " trials shared cards\n";
    if (seeds < 50) return;
    // The faults do happen.
    for (const int count : {killed, stopped, gone, back, not_stored, restarted, aside, packed})
        EXPECT_GT(count, 0);
}
