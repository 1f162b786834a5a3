// What mpi_test.cpp starts under mpirun: exchanges of real groups, and whole sweeps with made-up training.
//
//   cluster_mpi_program exchange
//   cluster_mpi_program throw              on the last rank, while the others wait for it
//   cluster_mpi_program time               how long exchanges take, and what waiting costs
//   cluster_mpi_program sweep ARCHIVE CORPUS [--ranks-per-trial N] [--seconds-per-step S] [--trouble RANK]
//   [--pin yes|no] [--seats N] [--measure yes|no]   (of trials that share a card, as if ranks had some)
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <string>
#include <thread>
#include <time.h>
#include <vector>

#include "archive/provenance.hpp"
#include "cluster/fake_training.hpp"
#include "cluster/messages/mpi_communicator.hpp"
#include "cluster/messages/mpi_transport.hpp"
#include "cluster/run/end_all.hpp"
#include "cluster/run/run.hpp"
#include "cluster/site/cores.hpp"
#include "cluster/site/lack.hpp"
#include "cluster/small_study.hpp"

using namespace isogrid;
using namespace isogrid::cluster;

namespace {

void expect(bool good, const std::string& what) {
    if (!good) throw std::runtime_error("not so: " + what);
}

/// Sums one value a rank by recursive doubling, and compares with the closed form.
template <class T>
void check_sum(MpiCommunicator& group, std::size_t size) {
    std::vector<T> sum(size), other(size);
    for (std::size_t i = 0; i < size; ++i)
        sum[i] = static_cast<T>((group.rank() + 1) * static_cast<int>(i % 1000));
    for (int distance = 1; distance < group.size(); distance *= 2) {
        group.exchange(group.rank() ^ distance, std::span<const T>(sum), std::span<T>(other));
        for (std::size_t i = 0; i < size; ++i)
            sum[i] += other[i];
    }
    // Whole numbers below 2^24: exact in float.
    const int ranks = group.size() * (group.size() + 1) / 2;
    for (std::size_t i = 0; i < size; ++i)
        expect(sum[i] == static_cast<T>(ranks * static_cast<int>(i % 1000)), "the sum over the group");
}

void check_exchanges(const MpiSession& session) {
    std::vector<int> ranks(static_cast<std::size_t>(session.size()));
    std::iota(ranks.begin(), ranks.end(), 0);
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1000}, std::size_t{300'000}}) {
        MpiCommunicator group(ranks, 0);
        check_sum<float>(group, size);
        check_sum<double>(group, size);
        expect(group.agree({}) == Verdict{}, "all agree that all is well");
    }
    // Groups within the world, made at the same time: pairs of neighbours.
    const int first = session.rank() / 2 * 2;
    MpiCommunicator pair(std::vector<int>{first, first + 1}, 1);
    expect(pair.size() == 2 && pair.rank() == session.rank() % 2, "a pair's ranks");
    check_sum<float>(pair, 1000);
    pair.agree({});
}

/// One rank makes a group while its partner still looks for notes: what MPI sends to make it is none.
void check_that_groups_are_not_taken_for_notes(const MpiSession& session) {
    if (session.rank() > 1) return;
    MpiTransport transport(session);
    for (int tag = 0; tag < 4; ++tag) {
        for (int look = 0; session.rank() == 0 && look < 20; ++look) {
            expect(!transport.try_receive(), "no note was sent");
            transport.wait_briefly();
        }
        MpiCommunicator pair(std::vector<int>{0, 1}, tag);
        pair.agree({});
    }
}

/// A member ends while the others exchange values too large to be sent without it.
void check_that_nobody_hangs(const MpiSession& session) {
    std::vector<int> ranks(static_cast<std::size_t>(session.size()));
    std::iota(ranks.begin(), ranks.end(), 0);
    for (int troubled = 0; troubled < session.size(); ++troubled) {
        MpiCommunicator group(ranks, 2);
        Verdict mine;
        try {
            for (int step = 0; step < 5; ++step) {
                if (step == 3 && group.rank() == troubled) throw std::bad_alloc();
                if (step < 3) expect(!group.somebody_left(), "nobody has left yet");
                check_sum<float>(group, 300'000);
            }
        } catch (const MemberEnded& error) {
            expect(group.somebody_left(), "a farewell is seen by who waits otherwise");
            mine = {archive::Outcome::failed, error.what(), true};
        } catch (const std::bad_alloc&) {
            mine = {archive::Outcome::out_of_memory, "too large"};
        }
        const Verdict verdict = group.agree(mine);
        expect(verdict == Verdict{archive::Outcome::out_of_memory, "too large"}, "all agree on the trouble");
    }
}

double processor_seconds() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void compute_for(double duration) {
    for (const double end = seconds() + duration; seconds() < end;) {
    }
}

/// Ranks 0 and 1: exchanges between two that are busy, of a rank that comes late, and a worker without work.
void time_waits(const MpiSession& session) {
    if (session.rank() > 1) return;
    const int partner = 1 - session.rank();
    for (const std::size_t size : {1, 1000, 30'000, 1'000'000}) {
        MpiCommunicator group(std::vector<int>{0, 1}, 0);
        std::vector<float> outgoing(size), incoming(size);
        const auto exchange = [&] {
            group.exchange(partner, std::span<const float>(outgoing), std::span<float>(incoming));
        };
        const int rounds = size < 100'000 ? 2000 : 200;
        for (const double between : {0.0, 0.002}) {
            exchange();
            const double start = seconds();
            for (int round = 0; round < (between > 0 ? 200 : rounds); ++round) {
                compute_for(between * (1 + 0.02 * (round % 3) * (session.rank() == round % 2)));
                exchange();
            }
            const double each = (seconds() - start) / (between > 0 ? 200 : rounds) - between;
            if (session.rank() == 0)
                std::cout << size << " floats, " << 1e3 * between
                          << " ms of computing before each: " << 1e6 * each << " us" << std::endl;
        }
        group.agree({});
    }
    MpiCommunicator group(std::vector<int>{0, 1}, 1);
    std::vector<float> outgoing(1000), incoming(1000);
    for (const double late : {0.01, 0.1, 1.0}) {
        const double start = seconds(), before = processor_seconds();
        for (int round = 0; round < static_cast<int>(2 / late); ++round) {
            if (session.rank() == 1) std::this_thread::sleep_for(std::chrono::duration<double>(late));
            group.exchange(partner, std::span<const float>(outgoing), std::span<float>(incoming));
        }
        if (session.rank() == 0)
            std::cout << "waiting " << late
                      << " s for a partner: " << 100 * (processor_seconds() - before) / (seconds() - start)
                      << "% of a core" << std::endl;
    }
    group.agree({});
    MpiTransport transport(session);
    const double start = seconds(), before = processor_seconds();
    while (seconds() - start < 3)
        if (!transport.try_receive()) transport.wait_briefly();
    if (session.rank() == 0)
        std::cout << "waiting for notes: " << 100 * (processor_seconds() - before) / (seconds() - start)
                  << "% of a core" << std::endl;
    // A note there and back, after the other rank has waited for a while.
    const std::vector<std::byte> note(16);
    double total = 0;
    for (int round = 0; round < 50; ++round) {
        const auto receive = [&] {
            while (!transport.try_receive())
                transport.wait_briefly();
        };
        if (session.rank() == 0) {
            std::this_thread::sleep_for(std::chrono::milliseconds(40));
            const double sent = seconds();
            transport.send(note, 1);
            receive();
            total += seconds() - sent;
        } else {
            receive();
            transport.send(note, 0);
        }
    }
    if (session.rank() == 0) std::cout << "a note and its answer: " << 1e3 * total / 50 << " ms" << std::endl;
}

int sweep(const MpiSession& session, const std::vector<std::string>& arguments) {
    study::Study study = test::study_of({5e9, 4e9, 3e9, 2e9, 1e9}, 4);
    study.job.token_file = arguments.at(2);
    test::FakeTraining training;
    bool pin = true;
    CardPlan card_plan;
    card_plan.cards.seats.ranks = std::max(1, session.size() - 1);
    training.width = 20'000;  // more than MPI sends without the receiver
    for (std::size_t i = 3; i + 1 < arguments.size(); i += 2) {
        if (arguments[i] == "--rank-without-tokens") {
            setenv("SLURM_JOB_ID", "7", 1);  // where hosts are noted
            if (session.rank() == std::stoi(arguments[i + 1])) study.job.token_file = "gone.tok";
        }
        if (arguments[i] == "--ranks-per-trial") study.job.ranks_per_trial = std::stol(arguments[i + 1]);
        if (arguments[i] == "--seats") card_plan.cards.seats.each = std::stoi(arguments[i + 1]);
        if (arguments[i] == "--measure") card_plan.cards.measure = arguments[i + 1] == "yes";
        if (arguments[i] == "--pin") pin = arguments[i + 1] == "yes";
        if (arguments[i] == "--seconds-per-step") training.seconds_per_step = std::stod(arguments[i + 1]);
        if (arguments[i] == "--trouble") {
            training.troubles = {{1, test::Trouble::no_memory}, {3, test::Trouble::exception}};
            training.troubled_rank = std::stoi(arguments[i + 1]);
        }
    }
    // What each rank computed on, for the test to read.
    const auto train = [&](const study::Trial& trial, const data::TokenFile& tokens,
                           train::Communicator& group, const train::TrainOptions& options) {
        std::string line = "rank " + std::to_string(session.rank()) + " trains on cores";
        for (const int core : allowed_cores())
            line.append(" ").append(std::to_string(core));
        std::cout << line + "\n" << std::flush;
        return training(trial, tokens, group, options);
    };
    return run_sweep({.study = study,
                      .archive = arguments.at(1),
                      .train = train,
                      .instruction_set = "none",
                      .pin = pin,
                      .card_plan = card_plan,
                      .machine = [&] { return Machine{.train = train}; }},
                     session);
}

}  // namespace

int main(int count, char** values) {
    const std::vector<std::string> arguments(values + 1, values + count);
    const MpiSession session;
    try {
        if (arguments.at(0) == "sweep") return sweep(session, arguments);
        if (arguments.at(0) == "throw")
            return or_end_all(session, [&] {
                if (session.rank() + 1 == session.size()) throw std::bad_alloc();
                return session.lowest(0);
            });
        if (arguments.at(0) == "time") {
            time_waits(session);
            return 0;
        }
        check_exchanges(session);
        check_that_groups_are_not_taken_for_notes(session);
        check_that_nobody_hangs(session);
        expect(session.first_without(true) == -1, "every rank is content");
        expect(session.first_without(session.rank() == 0) == 1, "rank 1 is the first that is not");
        const Lack lack = lack_of(session.rank() == 1, session);
        expect(lack.of_some && !lack.of_a_host, "a rank of this host has it");
        expect(!lack_of(false, session).of_some, "nobody has it");
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "rank " << session.rank() << ": " << error.what() << std::endl;
        session.abort(1);
    }
}
