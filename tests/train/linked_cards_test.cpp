// Cards that send to each other: on the emulated card ranks are threads, each with a card of its own; on a
// machine with cards the same tests take as many as there are.
#include "train/linked_cards.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "data/random.hpp"
#include "kernels/cuda/cards.hpp"
#include "kernels/cuda/cuda_backend.hpp"
#include "train/reduction_tree.hpp"
#include "train/small_trial.hpp"
#include "train/thread_group.hpp"
#include "train/trainer.hpp"

namespace isogrid::tests {
namespace {

using archive::TrialResult;
using kernels::cuda::Launches;

std::unique_ptr<kernels::Backend> card(int device, Launches launches = Launches::recorded) {
    return kernels::cuda::make_backend(device, kernels::cuda::Arithmetic::float32, launches);
}

class LinkedCards : public testing::Test {
  protected:
    void SetUp() override {
        cards_ = static_cast<int>(kernels::cuda_cards().cards.size());
        if (cards_ < 2) GTEST_SKIP() << "two cards are needed, " << cards_ << " found";
        if (const std::string problem = card(0)->link_offer(false).problem; !problem.empty())
            GTEST_SKIP() << problem;
    }

    /// 2, 4 and 8, as far as there are cards.
    std::vector<int> group_sizes() const {
        std::vector<int> sizes = {2, 4, 8};
        std::erase_if(sizes, [&](int size) { return size > cards_; });
        return sizes;
    }

    int cards_ = 0;
};

study::Trial trial_of(study::Precision precision, study::GradientSum sum = study::GradientSum::tree) {
    study::Trial trial = small_trial();
    trial.steps = 4;  // the emulated card is slow
    trial.evaluation = {.tokens = 5 * 16, .steps = {4}};
    trial.precision = precision;
    trial.gradient_sum = sum;
    return trial;
}

TrialResult train_on(int device, const study::Trial& trial, train::Communicator& group,
                     Launches launches = Launches::recorded) {
    const data::TokenFile tokens = corpus();
    return train::train(trial, tokens, *card(device, launches), group, {.on_progress = {}});
}

/// The key that the first rank makes, handed on.
kernels::LinkKey key_of_first(const kernels::Backend& backend, train::Communicator& group) {
    kernels::LinkKey key = backend.link_offer(group.rank() == 0).key;
    std::vector<double> mine(key.size()), theirs(key.size());
    for (std::size_t i = 0; i < key.size(); ++i)
        mine[i] = std::to_integer<unsigned>(key[i]);
    group.exchange(1 - group.rank(), std::span<const double>(mine), std::span<double>(theirs));
    for (std::size_t i = 0; i < key.size() && group.rank() == 1; ++i)
        key[i] = static_cast<std::byte>(static_cast<unsigned>(theirs[i]));
    return key;
}

// ---- sums

std::vector<float> values_of_rank(int rank, std::size_t size) {
    std::vector<float> values(size);
    data::fill_normal(values, 7, static_cast<std::uint32_t>(rank), 1.0);
    return values;
}

template <class Number>
std::span<Number> numbers(const kernels::Storage& storage, std::size_t size) {
    return {reinterpret_cast<Number*>(storage.get()), size};
}

template <class Number>
std::vector<Number> sum_by_links(train::Communicator& group, std::size_t size, study::GradientSum how) {
    const auto backend = card(group.rank());
    const std::size_t bytes = size * sizeof(Number);
    const kernels::Storage mine = backend->allocate(bytes), into = backend->allocate(bytes),
                           room = backend->allocate(bytes);
    study::Trial trial;
    trial.gradient_sum = how;
    const auto links = train::link_cards(trial, *backend, group);
    EXPECT_TRUE(links);
    const std::vector<float> values = values_of_rank(group.rank(), size);
    const std::vector<Number> given(values.begin(), values.end());
    backend->copy_in(mine.get(), given.data(), bytes);
    links->sum(numbers<const Number>(mine, size), numbers<Number>(into, size), numbers<Number>(room, size));
    links->join();
    std::vector<Number> sums(size);
    backend->copy_out(sums.data(), into.get(), bytes);
    std::vector<Number> kept(size);
    backend->copy_out(kept.data(), mine.get(), bytes);
    EXPECT_EQ(kept, given);
    return sums;
}

/// In the tree over ranks.
template <class Number>
std::vector<Number> expected_sum(int first, int ranks, std::size_t size) {
    if (ranks == 1) {
        const std::vector<float> values = values_of_rank(first, size);
        return {values.begin(), values.end()};
    }
    std::vector<Number> sums = expected_sum<Number>(first, ranks / 2, size);
    const std::vector<Number> upper = expected_sum<Number>(first + ranks / 2, ranks / 2, size);
    for (std::size_t i = 0; i < size; ++i)
        sums[i] += upper[i];
    return sums;
}

TEST_F(LinkedCards, addUpInTheTreeOverRanks) {
    constexpr std::size_t small = 9, large = (std::size_t{1} << 16) + 5;  // whole, and in odd halves
    for (const int ranks : group_sizes())
        for (const std::size_t size : {small, large}) {
            const auto sums = on_ranks<std::vector<float>>(ranks, [&](train::Communicator& group) {
                return sum_by_links<float>(group, size, study::GradientSum::tree);
            });
            for (const std::vector<float>& sum : sums)
                EXPECT_EQ(sum, expected_sum<float>(0, ranks, size)) << ranks << " ranks";
        }
    for (const std::vector<double>& sum : on_ranks<std::vector<double>>(2, [&](train::Communicator& group) {
             return sum_by_links<double>(group, small, study::GradientSum::tree);
         }))
        EXPECT_EQ(sum, expected_sum<double>(0, 2, small));
}

TEST_F(LinkedCards, addUpAnyHowWhereAskedTo) {
    constexpr std::size_t size = 1000;
    const int ranks = group_sizes().back();
    const auto sums = on_ranks<std::vector<float>>(ranks, [&](train::Communicator& group) {
        return sum_by_links<float>(group, size, study::GradientSum::all_reduce);
    });
    const std::vector<float> expected = expected_sum<float>(0, ranks, size);
    for (std::size_t i = 0; i < size; ++i) {
        double magnitude = 0;  // each of the additions rounds by half a unit of a partial sum's last place
        for (int rank = 0; rank < ranks; ++rank)
            magnitude += std::abs(values_of_rank(rank, size)[i]);
        EXPECT_NEAR(sums.front()[i], expected[i], ranks * magnitude * 0x1p-24);
    }
    for (const std::vector<float>& sum : sums)
        EXPECT_EQ(sum, sums.front());
}

TEST_F(LinkedCards, areNotLinkedWhereTwoRanksHaveOneCard) {
    const auto linked = on_ranks<int>(2, [](train::Communicator& group) {
        const auto backend = card(0);
        return train::link_cards(study::Trial(), *backend, group) ? 1 : 0;
    });
    EXPECT_EQ(linked, std::vector<int>(2, 0));
}

/// Two ranks take part in `together` sums, then rank 1 leaves; whether rank 0 gives up the next.
bool gives_up(train::Communicator& group, Launches launches, int together) {
    const auto backend = card(group.rank(), launches);
    kernels::LinkPlace place{.rank = group.rank(), .size = 2};
    place.key = key_of_first(*backend, group);
    bool left = false;  // linking, and the first sum, take cards longer than the patience
    place.somebody_left = [&left] { return left; };
    place.patience = std::chrono::milliseconds(50);
    float value = 1;
    const kernels::Storage values = backend->allocate(2 * sizeof value);
    const auto all = numbers<float>(values, 2);
    backend->copy_in(values.get(), &value, sizeof value);
    const auto links = backend->link(place);
    const auto sum = backend->recorded([&] {
        links->sum(all.first(1), all.first(1), all.last(1));
        links->join();
    });
    for (int i = 0; i < together; ++i)
        sum();
    backend->copy_out(&value, values.get(), sizeof value);
    EXPECT_EQ(value, std::pow(2.0F, static_cast<float>(together)));
    left = true;
    if (group.rank() == 1) return false;  // without its part in the next one
    try {
        sum();
        backend->copy_out(&value, values.get(), sizeof value);
    } catch (const kernels::LinkBroken&) {
        return true;
    }
    return false;
}

TEST_F(LinkedCards, areGivenUpWhenAMemberLeaves) {
    for (const Launches launches : {Launches::one_by_one, Launches::recorded})
        for (const int together : {0, 1, 3}) {  // a step is recorded from its second time on
            const auto given_up = on_ranks<int>(
                2, [&](train::Communicator& group) { return gives_up(group, launches, together) ? 1 : 0; });
            EXPECT_EQ(given_up, (std::vector<int>{1, 0})) << together << " sums together";
        }
}

// ---- the tree over leaves

/// What sum_leaves is given: rows of a fixed table, told of as final in three parts.
void compute_leaf(kernels::Backend& backend, std::int64_t leaf, std::span<float> gradient,
                  std::span<double> sums, const graph::GradientsFinal& on_final) {
    const std::vector<float> values = values_of_rank(static_cast<int>(leaf), gradient.size());
    for (const std::size_t first : {std::size_t{700}, std::size_t{650}, std::size_t{200}}) {
        const std::size_t end = first == 700 ? gradient.size() : first == 650 ? 700 : 650;
        backend.copy_in(gradient.data() + first, values.data() + first, (end - first) * sizeof(float));
        if (on_final) on_final(static_cast<std::int64_t>(first));
    }
    backend.copy_in(gradient.data(), values.data(), 200 * sizeof(float));
    const double loss = 0.1 * static_cast<double>(leaf + 1);
    backend.copy_in(sums.data(), &loss, sizeof loss);
}

struct Sum {
    std::vector<float> gradient;
    double loss = 0;
    bool operator==(const Sum&) const = default;
};

Sum reduce(train::Communicator& group, kernels::Backend& backend, kernels::Links* links) {
    constexpr std::int64_t leaves = 8, floats = 1000, slice = 100;
    train::ThreadTeam team(1);
    train::ReductionTree tree(leaves, floats, /*sums=*/1, backend, group, team, links, slice);
    Sum sum{std::vector<float>(floats), 0};
    for (int step = 0; step < 2; ++step) {  // nothing of the first may be left in the second
        tree.sum_leaves([&](std::int64_t leaf, std::span<float> gradient, std::span<double> sums, int,
                            const graph::GradientsFinal& on_final) {
            compute_leaf(backend, leaf, gradient, sums, on_final);
        });
        if (links == nullptr) tree.sum_ranks(/*stop=*/false);
    }
    backend.copy_out(sum.gradient.data(), tree.gradient().data(), floats * sizeof(float));
    backend.copy_out(&sum.loss, tree.sums().data(), sizeof sum.loss);
    return sum;
}

TEST_F(LinkedCards, sumLeavesToTheBitsOfOneRankWhileTheLastOneIsComputed) {
    train::Alone alone;
    const Sum expected = reduce(alone, *kernels::make_reference_backend(), nullptr);
    for (const int ranks : group_sizes()) {  // 4, 2 and 1 leaves a rank
        const auto sums = on_ranks<Sum>(ranks, [](train::Communicator& group) {
            const auto backend = card(group.rank());
            const auto links = train::link_cards(study::Trial(), *backend, group);
            return reduce(group, *backend, links.get());
        });
        for (const Sum& sum : sums)
            EXPECT_TRUE(sum == expected) << ranks << " ranks";
    }
}

// ---- trials

TEST_F(LinkedCards, trainToTheBitsOfOneCardAndOfMessages) {
    for (const study::Precision precision : study::precisions) {
        const study::Trial trial = trial_of(precision);  // of 4 leaves
        train::Alone alone;
        const TrialResult expected = train_on(0, trial, alone);
        for (const int ranks : group_sizes()) {
            if (ranks > trial.leaves) continue;
            for (const Launches launches : {Launches::recorded, Launches::one_by_one}) {
                if (launches == Launches::one_by_one && ranks > 2) continue;
                for (const TrialResult& result :
                     on_ranks<TrialResult>(ranks, [&](train::Communicator& group) {
                         return train_on(group.rank(), trial, group, launches);
                     })) {
                    EXPECT_EQ(result.weights_digest, expected.weights_digest) << ranks << " cards";
                    EXPECT_EQ(result.validation_loss, expected.validation_loss) << ranks << " cards";
                    EXPECT_EQ(result.curve.back().noise.variance, expected.curve.back().noise.variance);
                }
            }
        }
        for (const TrialResult& result :
             on_ranks<TrialResult>(2, [&](train::Communicator& group) { return train_on(0, trial, group); }))
            EXPECT_EQ(result.weights_digest, expected.weights_digest);  // one card: by messages
    }
}

TEST_F(LinkedCards, trainToTheSameBitsWhenALaunchMakesSeveralSteps) {
    study::Trial trial = trial_of(study::Precision::float32);
    trial.shape.context = 8;
    trial.shape.mlp_width = 16;
    trial.batch = trial.leaves = 2;
    trial.steps = 70;  // from step 64 on a launch makes two
    trial.evaluation = {.tokens = 16, .steps = {70}};
    train::Alone alone;
    const TrialResult expected = train_on(0, trial, alone, Launches::one_by_one);
    for (const TrialResult& result : on_ranks<TrialResult>(
             2, [&](train::Communicator& group) { return train_on(group.rank(), trial, group); })) {
        EXPECT_EQ(result.weights_digest, expected.weights_digest);
        EXPECT_EQ(result.curve.back().noise.variance, expected.curve.back().noise.variance);
    }
}

TEST_F(LinkedCards, trainWithAnAllReduceToTheSameResultOnEachRank) {
    const study::Trial trial = trial_of(study::Precision::float32, study::GradientSum::all_reduce);
    train::Alone alone;
    const TrialResult tree = train_on(0, trial, alone);
    const int ranks = std::min<int>(group_sizes().back(), 4);
    const auto results = on_ranks<TrialResult>(
        ranks, [&](train::Communicator& group) { return train_on(group.rank(), trial, group); });
    for (const TrialResult& result : results)
        EXPECT_EQ(result.weights_digest, results.front().weights_digest);
    EXPECT_NEAR(results.front().validation_loss, tree.validation_loss, 1e-4);
}

}  // namespace
}  // namespace isogrid::tests
