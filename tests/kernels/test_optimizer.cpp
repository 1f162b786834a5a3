// What ends a step, against the reference: AdamW, norms of gradients, the step's closing, and work that is
// recorded.
#include <array>
#include <limits>
#include <span>

#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

TEST_P(KernelTest, adamwAgreesOverSeveralSteps) {
    for (const std::int64_t size : {1, 16, 37, 130}) {
        const Values start = random_values(size, 1);
        expect_agreement(
            [&](Device& device) {
                float *weights = device.hold(start), *first = device.hold(Values(size, 0)),
                      *second = device.hold(Values(size, 0));
                for (int step = 1; step <= 5; ++step)
                    adamw(device, {step, 0.1f, 0.9f, 0.95f, 1e-8f, 0.01f}, 0.5f,
                          device.hold(random_values(size, 100 + step)), weights, first, second, size);
                return Outputs{device.read(weights, size), device.read(first, size),
                               device.read(second, size)};
            },
            // Five steps, each moving a weight of about 1 by 0.1 with about ten roundings.
            std::vector{5 * 4 * epsilon, 10 * epsilon, 10 * epsilon});
    }
}

/// Runs of three kinds in turns, between gaps; some begin within four numbers of another.
std::vector<Run> some_runs() {
    std::vector<Run> runs;
    std::int64_t first = 0, kind = 0;
    for (const std::int64_t size : {5, 64, 3, 1000, 1, 16, 9000}) {
        runs.push_back({first, size, kind++ % 3});
        first += size + (size % 2 == 0 ? 16 - size % 16 : 0);
    }
    return runs;
}
std::int64_t numbers_of_some_runs() {
    return some_runs().back().first + some_runs().back().size;
}

/// The same in a backend's memory.
struct HeldRuns {
    explicit HeldRuns(Backend& backend) {
        const std::vector<Run> runs = some_runs();
        storage = backend.allocate(runs.size() * sizeof(Run));
        backend.copy_in(storage.get(), runs.data(), runs.size() * sizeof(Run));
        view = {reinterpret_cast<const Run*>(storage.get()), runs.size()};
    }
    Storage storage;
    std::span<const Run> view;
};

TEST_P(KernelTest, adamwTrainsEachRunAsItsKind) {
    const std::int64_t size = numbers_of_some_runs();
    expect_agreement(
        [&](Device& device) {
            float *weights = device.hold(random_values(size, 1)),
                  *first = device.hold(random_values(size, 2)),
                  *second = device.hold(Values(std::size_t(size), 0.25f));
            const float* gradient = device.hold(random_values(size, 3));
            const std::array<AdamWStep, 3> steps = {{{4, 0.1f, 0.9f, 0.95f, 1e-8f, 0.01f},
                                                     {4, 0.02f, 0.9f, 0.95f, 1e-8f, 0},
                                                     {4, 0.3f, 0.8f, 0.9f, 1e-6f, 0.02f}}};
            const HeldRuns runs(device.backend);
            const AdamWStep* kinds = device.hold_one(steps)->data();
            const auto train = [&](const Standing& standing) {
                const auto count = std::size_t(size);
                device.backend.adamw(runs.view, kinds, device.hold_one(standing), {gradient, count},
                                     {weights, count}, {first, count}, {second, count}, {});
            };
            train({.gradient_scale = 0.5f});
            train({.ended_at = 4, .gradient_scale = 1e6f});  // changes nothing any more
            return Outputs{device.read(weights, size), device.read(first, size), device.read(second, size)};
        },
        // As above: one step, of a rate of 0.3 at most, over moments that were there before.
        std::vector{20 * epsilon, 4 * epsilon, 4 * epsilon});
}

TEST_P(KernelTest, adamwPacksTheWeightsThatItChanges) {
    // A matrix of three tensors that follow one another, two of which begin at no multiple of four; a gain
    // that nothing is multiplied with; a matrix of rows that are filled up.
    const std::vector<kernels::Run> runs{
        {0, 70, 0}, {70, 43, 0}, {113, 13, 0}, {128, 14, 0}, {144, 9 * 13, 0}};
    struct Matrix {
        std::int64_t first, rows, columns;
    };
    const std::vector<Matrix> matrices{{0, 9, 14}, {144, 9, 13}};
    const std::int64_t size = 144 + 9 * 13;
    const auto count = std::size_t(size);
    for (const Element element : elements) {
        Device device(*fast);
        float* weights = device.hold(random_values(size, 1));
        const auto packed = [&] {
            std::vector<PackedWeights> all;
            for (const auto& [first, rows, columns] : matrices)
                all.push_back(
                    fast->pack_weights({weights + first, rows, columns}, element,
                                       device.poisoned(fast->packed_floats(rows, columns, element))));
            return all;
        };
        const auto contents = [&](const std::vector<PackedWeights>& all) {
            std::vector<std::vector<std::uint32_t>> found;
            for (std::size_t i = 0; i < all.size(); ++i)
                found.push_back(bits(device.read(
                    all[i].packed, fast->packed_floats(matrices[i].rows, matrices[i].columns, element))));
            return found;
        };
        const std::vector<PackedWeights> before = packed();
        const auto* held = device.hold_one(std::array{before[0], before[1]})->data();
        const auto* held_runs =
            device.hold_one(std::array{runs[0], runs[1], runs[2], runs[3], runs[4]})->data();
        float *first = device.hold(random_values(size, 2)), *second = device.hold(Values(count, 0.25f));
        const auto train = [&](const Standing& standing) {
            fast->adamw({held_runs, runs.size()},
                        device.hold_one(AdamWStep{4, 0.1f, 0.9f, 0.95f, 1e-8f, 0.01f}),
                        device.hold_one(standing), {device.hold(random_values(size, 3)), count},
                        {weights, count}, {first, count}, {second, count}, {{held, before.size()}, element});
        };
        const auto old_contents = contents(before);
        train({});
        const auto new_contents = contents(before);
        EXPECT_EQ(new_contents, contents(packed()));
        if (fast->packed_floats(9, 14, element) > 0) {
            EXPECT_NE(new_contents, old_contents);
        }
        train({.ended_at = 3});  // changes nothing any more
        EXPECT_EQ(contents(before), new_contents);
    }
}

TEST_P(KernelTest, sumsOfSquaresAreAddedUpByKind) {
    const std::int64_t size = numbers_of_some_runs();
    const auto sums = [&](Backend& backend) {
        Device device(backend);
        const HeldRuns runs(backend);
        std::array<double, 3> kinds = {1000, 2000, 3000};
        const Storage totals = backend.allocate(sizeof kinds);
        backend.copy_in(totals.get(), kinds.data(), sizeof kinds);
        backend.add_sums_of_squares({device.hold(random_values(size, 1)), std::size_t(size)}, runs.view,
                                    reinterpret_cast<double*>(totals.get()));
        backend.copy_out(kinds.data(), totals.get(), sizeof kinds);
        return kinds;
    };
    const auto expected = sums(*reference), found = sums(*fast);
    for (std::size_t kind = 0; kind < 3; ++kind)
        EXPECT_NEAR(found[kind], expected[kind], double(size) * double(size) * 1.2e-16);
    EXPECT_EQ(sums(*fast), found);
}

TEST_P(KernelTest, aStepIsClosedWithItsNormAndTheFirstThatIsNotANumberStays) {
    const auto close = [](Backend& backend, Standing standing, double loss, double squares) {
        Device device(backend);
        auto* at = const_cast<Standing*>(device.hold_one(standing));
        backend.close_step(device.hold_one(loss), device.hold_one(squares), device.hold_one(AdamWStep{7}),
                           {.tokens = 4, .gradient_clip = 2}, at);
        backend.copy_out(&standing, at, sizeof standing);
        return standing;
    };
    const double nothing = std::numeric_limits<double>::quiet_NaN();
    for (Backend* backend : {fast.get(), reference.get()}) {
        const Standing clipped = close(*backend, {.loss_sum = 1}, 8, 64);
        EXPECT_EQ(clipped.ended_at, 0);
        EXPECT_EQ(clipped.loss, 2);
        EXPECT_EQ(clipped.loss_sum, 3);
        EXPECT_EQ(clipped.gradient_norm, 8);
        EXPECT_EQ(clipped.gradient_scale, 0.25f);
        EXPECT_EQ(close(*backend, {.gradient_scale = 9}, 8, 4).gradient_scale, 1);
        EXPECT_EQ(close(*backend, {}, nothing, 4).ended_at, 7);
        EXPECT_EQ(close(*backend, {}, 8, std::numeric_limits<double>::infinity()).ended_at, 7);
        const Standing ended = close(*backend, {.ended_at = 3, .loss = 5}, 8, 4);
        EXPECT_EQ(ended.ended_at, 3);
        EXPECT_EQ(ended.loss, 5);
    }
}

TEST_P(KernelTest, recordedWorkDoesTheSameAgain) {
    const Values start = random_values(1000, 1), step = random_values(1000, 2);
    Device device(*fast);
    float *sums = device.hold(start), *told = device.hold(step);
    const auto add = fast->recorded([&] { fast->accumulate({sums, 1000}, {told, 1000}); });
    Values expected = start;
    for (int round = 0; round < 5; ++round) {
        Values now = step;
        for (float& value : now)
            value *= float(round);
        fast->copy_in(told, now.data(), now.size() * sizeof(float));
        now.assign(now.size(), 7);  // copies in have taken what they need
        add();
        for (std::size_t i = 0; i < expected.size(); ++i)
            expected[i] += step[i] * float(round);
    }
    EXPECT_EQ(bits(device.read(sums, 1000)), bits(expected));
}

}  // namespace

}  // namespace isogrid::kernels::test
