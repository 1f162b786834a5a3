// What the benchmark counts without a card, against what an emulated one is asked for.
#include "train/bench/launches.hpp"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "graph/memory_plan.hpp"
#include "kernels/cuda/cuda_backend.hpp"
#include "kernels/cuda_on_cpu/machine.hpp"
#include "train/bench/step.hpp"
#include "train/blocks.hpp"

namespace isogrid::bench {
namespace {

using kernels::cuda_on_cpu::Asked;

/// A first step, which is not recorded: all that it asks of the card.
Asked asked_in_a_step(const BenchShape& shape, std::string_view precision, kernels::Backend& backend) {
    Training training(shape, precision, backend);
    const Asked before = kernels::cuda_on_cpu::asked();
    training.step();
    training.wait();
    Asked after = kernels::cuda_on_cpu::asked();
    after.kernels -= before.kernels;
    after.products -= before.products;
    after.clearings -= before.clearings;
    after.blocks -= before.blocks;
    return after;
}

Asked counted(const BenchShape& shape, study::Precision precision, const kernels::Backend& backend) {
    study::Trial trial;
    trial.shape = shape.shape;
    trial.batch = shape.batch;
    trial.precision = precision;
    const graph::Graph graph = train::training_graph(trial, backend);
    const graph::ParameterLayout layout = graph::lay_out_parameters(graph);
    std::vector<Launch> all = launches_around(1, double(shape.tokens_per_step()), double(layout.floats),
                                              double(layout.sizes.size()));
    for (const graph::Op& op : graph.ops())
        for (const Launch& launch : launches_of(op, graph))
            all.push_back(launch);
    Asked asked;
    for (const Launch& launch : all) {
        asked.kernels += launch.kind == Launch::Kind::kernel;
        asked.products += launch.kind == Launch::Kind::product;
        asked.clearings += launch.kind == Launch::Kind::clearing;
        if (launch.kind == Launch::Kind::kernel) asked.blocks += std::int64_t(launch.blocks);
    }
    return asked;
}

TEST(Launches, areCountedAsACardIsAskedForThem) {
    const auto backend = kernels::cuda::make_backend(0, kernels::cuda::Arithmetic::float32);
    // The second has more rows than logits are taken of at a time.
    for (const std::string text : {"48,2,3,24,5,256", "16,1,1,96,6,20000"})
        for (const study::Precision precision : study::precisions) {
            const BenchShape shape = parse_shapes(text)->front();
            const Asked found = asked_in_a_step(shape, name(precision), *backend),
                        expected = counted(shape, precision, *backend);
            EXPECT_EQ(found.kernels, expected.kernels) << text << " " << name(precision);
            EXPECT_EQ(found.products, expected.products) << text << " " << name(precision);
            EXPECT_EQ(found.clearings, expected.clearings) << text << " " << name(precision);
            EXPECT_EQ(found.blocks, expected.blocks) << text << " " << name(precision);
        }
}

TEST(Launches, fillACardAsFarAsTheirBlocksGo) {
    using Kind = Launch::Kind;
    EXPECT_EQ(filled({{Kind::kernel, multiprocessors, 1}}), 1);
    EXPECT_EQ(filled({{Kind::kernel, 10 * multiprocessors, 1}, {Kind::kernel, 1, 0}}),
              1);  // helpers are no work
    EXPECT_EQ(filled({{Kind::kernel, multiprocessors / 4, 1}}), 0.25);
    // Half of the work on half of the card takes twice as long: 1 / (1/2 + 2/2).
    EXPECT_DOUBLE_EQ(filled({{Kind::kernel, multiprocessors, .5}, {Kind::kernel, multiprocessors / 2, .5}}),
                     1 / 1.5);
}

}  // namespace
}  // namespace isogrid::bench
